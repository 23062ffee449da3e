//! Reading arrays and maps of a schema.

use lavka_api::data::Value;
use lavka_api::{Error, Result};

use super::decoder::Decoder;
use super::place::Place;
use super::read_plan::{ReadNode, node_type};
use super::reader::Reader;
use crate::distinct::DistinctEntries;

/// The elements of an array, or the values of an object.
pub(super) fn read_array(
    items: &ReadNode,
    open: u8,
    reader: &mut Reader<'_>,
    decoder: &mut Decoder,
    place: Place<'_>,
    depth: usize,
) -> Result<Box<[Value]>> {
    reader.check_depth(depth)?;
    if open == b'{' {
        let members = read_members(items, reader, decoder, place, depth)?;
        return Ok(members.into_entries().into_iter().map(|(_, value)| value).collect());
    }
    let base = decoder.stack.len();
    if !reader.open(b']') {
        loop {
            let value = items.read(reader, decoder, place, depth + 1)?;
            decoder.stack.push(value);
            if !reader.more(b']')? {
                break;
            }
        }
    }
    Ok(decoder.stack.split_off(base).into_boxed_slice())
}

pub(super) fn read_members(
    items: &ReadNode,
    reader: &mut Reader<'_>,
    decoder: &mut Decoder,
    place: Place<'_>,
    depth: usize,
) -> Result<DistinctEntries> {
    let mut entries = DistinctEntries::default();
    if reader.open(b'}') {
        return Ok(entries);
    }
    loop {
        let key = Value::from(reader.key(&mut decoder.scratch)?);
        entries.insert(key, items.read(reader, decoder, place, depth + 1)?);
        if !reader.more(b'}')? {
            return Ok(entries);
        }
    }
}

pub(super) fn read_pairs(
    nodes: &(ReadNode, ReadNode),
    reader: &mut Reader<'_>,
    decoder: &mut Decoder,
    place: Place<'_>,
    depth: usize,
) -> Result<Box<[(Value, Value)]>> {
    reader.check_depth(depth)?;
    let mut entries = DistinctEntries::default();
    if reader.open(b']') {
        return Ok(entries.into_entries());
    }
    loop {
        let first = reader.next();
        if first != b'[' {
            reader.skip(depth + 1)?;
            return Err(Error::data(format!(
                "Found invalid map entry instead of array tuple: {}",
                node_type(first)
            )));
        }
        reader.check_depth(depth + 1)?;
        if reader.open(b']') {
            return Err(wrong_pair(0));
        }
        let key = nodes.0.read(reader, decoder, Place::Key(&place), depth + 2)?;
        if !reader.more(b']')? {
            return Err(wrong_pair(1));
        }
        let value = nodes.1.read(reader, decoder, Place::Item(&place), depth + 2)?;
        let mut count = 2;
        while reader.more(b']')? {
            reader.skip(depth + 2)?;
            count += 1;
        }
        if count != 2 {
            return Err(wrong_pair(count));
        }
        entries.insert(key, value);
        if !reader.more(b']')? {
            return Ok(entries.into_entries());
        }
    }
}

pub(super) fn read_entries(
    nodes: &(ReadNode, ReadNode),
    reader: &mut Reader<'_>,
    decoder: &mut Decoder,
    place: Place<'_>,
    depth: usize,
) -> Result<Box<[(Value, Value)]>> {
    reader.check_depth(depth)?;
    let mut entries = DistinctEntries::default();
    let mut more = !reader.open(b']');
    while more {
        let first = reader.next();
        if first != b'{' {
            reader.skip(depth + 1)?;
            return Err(Error::data(format!(
                "Found invalid map entry instead of object: {}",
                node_type(first)
            )));
        }
        reader.check_depth(depth + 1)?;
        let (mut key, mut value, mut others) = (None, None, Vec::new());
        let mut within = !reader.open(b'}');
        while within {
            match reader.key(&mut decoder.scratch)? {
                "key" => key = Some(nodes.0.read(reader, decoder, Place::Key(&place), depth + 2)?),
                "value" => value = Some(nodes.1.read(reader, decoder, Place::Item(&place), depth + 2)?),
                other => {
                    if others.len() < 2 && !others.iter().any(|known| known == other) {
                        others.push(other.to_owned());
                    }
                    reader.skip(depth + 2)?;
                }
            }
            within = reader.more(b'}')?;
        }
        let count = usize::from(key.is_some()) + usize::from(value.is_some()) + others.len();
        if count != 2 {
            return Err(wrong_pair(count));
        }
        let mut or_missing =
            |read: Option<Value>, node: &ReadNode| read.map_or_else(|| node.missing(decoder), Ok);
        entries.insert(or_missing(key, &nodes.0)?, or_missing(value, &nodes.1)?);
        more = reader.more(b']')?;
    }
    Ok(entries.into_entries())
}

#[cold]
fn wrong_pair(count: usize) -> Error {
    Error::data(format!("Found invalid map entry, expected length 2 but found :{count}"))
}
