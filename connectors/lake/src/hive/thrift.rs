//! Thrift's binary protocol (`TBinaryProtocol`, strict, without frames), as far as a client of the metastore needs it.
//!
//! A message is read into a tree, not into generated structs: a table that is altered goes back with everything that it
//! came with, also with what this version does not know.

use lavka_api::{Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that the texts and elements of an answer may take together.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// What an element of a tree takes at least.
const ELEMENT_BYTES: usize = 32;
const MAX_DEPTH: usize = 32;

const VERSION_1: u32 = 0x8001_0000;

/// A value, with the type of what it is made of where it may be empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Thrift {
    Bool(bool),
    Byte(i8),
    Double(f64),
    I16(i16),
    I32(i32),
    I64(i64),
    Text(Vec<u8>),
    Struct(Fields),
    Map(u8, u8, Vec<(Thrift, Thrift)>),
    Set(u8, Vec<Thrift>),
    List(u8, Vec<Thrift>),
}

/// The types' numbers on the wire.
pub(crate) mod ty {
    pub(crate) const STOP: u8 = 0;
    pub(crate) const BOOL: u8 = 2;
    pub(crate) const BYTE: u8 = 3;
    pub(crate) const DOUBLE: u8 = 4;
    pub(crate) const I16: u8 = 6;
    pub(crate) const I32: u8 = 8;
    pub(crate) const I64: u8 = 10;
    pub(crate) const TEXT: u8 = 11;
    pub(crate) const STRUCT: u8 = 12;
    pub(crate) const MAP: u8 = 13;
    pub(crate) const SET: u8 = 14;
    pub(crate) const LIST: u8 = 15;
}

/// The fields of a struct by their numbers, in the order of the wire.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Fields(Vec<(i16, Thrift)>);

impl Fields {
    pub(crate) fn new<const N: usize>(fields: [(i16, Thrift); N]) -> Self {
        Self(fields.into())
    }

    pub(crate) fn get(&self, id: i16) -> Option<&Thrift> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, value)| value)
    }

    /// The field `id`, which is added where it is not there.
    pub(crate) fn set(&mut self, id: i16, value: Thrift) {
        match self.0.iter_mut().find(|(known, _)| *known == id) {
            Some((_, old)) => *old = value,
            None => self.0.push((id, value)),
        }
    }

    pub(crate) fn text(&self, id: i16) -> Option<String> {
        match self.get(id)? {
            Thrift::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    pub(crate) fn fields(&self, id: i16) -> Option<&Fields> {
        match self.get(id)? {
            Thrift::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    pub(crate) fn list(&self, id: i16) -> &[Thrift] {
        match self.get(id) {
            Some(Thrift::List(_, items)) => items,
            _ => &[],
        }
    }
}

impl From<&str> for Thrift {
    fn from(text: &str) -> Self {
        Thrift::Text(text.as_bytes().to_vec())
    }
}

impl Thrift {
    /// A list of structs.
    pub(crate) fn structs(items: impl IntoIterator<Item = Fields>) -> Self {
        Thrift::List(ty::STRUCT, items.into_iter().map(Thrift::Struct).collect())
    }

    /// A map of texts.
    pub(crate) fn texts<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value.into()));
        Thrift::Map(ty::TEXT, ty::TEXT, entries.collect())
    }

    fn type_number(&self) -> u8 {
        match self {
            Thrift::Bool(_) => ty::BOOL,
            Thrift::Byte(_) => ty::BYTE,
            Thrift::Double(_) => ty::DOUBLE,
            Thrift::I16(_) => ty::I16,
            Thrift::I32(_) => ty::I32,
            Thrift::I64(_) => ty::I64,
            Thrift::Text(_) => ty::TEXT,
            Thrift::Struct(_) => ty::STRUCT,
            Thrift::Map(..) => ty::MAP,
            Thrift::Set(..) => ty::SET,
            Thrift::List(..) => ty::LIST,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Thrift::Bool(it) => out.push(u8::from(*it)),
            Thrift::Byte(it) => out.extend_from_slice(&it.to_be_bytes()),
            Thrift::Double(it) => out.extend_from_slice(&it.to_be_bytes()),
            Thrift::I16(it) => out.extend_from_slice(&it.to_be_bytes()),
            Thrift::I32(it) => out.extend_from_slice(&it.to_be_bytes()),
            Thrift::I64(it) => out.extend_from_slice(&it.to_be_bytes()),
            Thrift::Text(bytes) => {
                write_length(out, bytes.len());
                out.extend_from_slice(bytes);
            }
            Thrift::Struct(fields) => write_struct(fields, out),
            Thrift::Map(keys, values, entries) => {
                out.extend_from_slice(&[*keys, *values]);
                write_length(out, entries.len());
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
            }
            Thrift::Set(items, values) | Thrift::List(items, values) => {
                out.push(*items);
                write_length(out, values.len());
                values.iter().for_each(|value| value.write(out));
            }
        }
    }
}

fn write_struct(fields: &Fields, out: &mut Vec<u8>) {
    for (id, value) in &fields.0 {
        out.push(value.type_number());
        out.extend_from_slice(&id.to_be_bytes());
        value.write(out);
    }
    out.push(ty::STOP);
}

/// Lengths of what this client sends are far below the limit of the protocol.
fn write_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes());
}

/// The bytes of a call of `method`.
pub(crate) fn call(method: &str, sequence: i32, arguments: &Fields) -> Vec<u8> {
    let mut out = (VERSION_1 | 1).to_be_bytes().to_vec();
    write_length(&mut out, method.len());
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(&sequence.to_be_bytes());
    write_struct(arguments, &mut out);
    out
}

/// An answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// The result: field 0 is what the method returns, another one an exception that it declares.
    Result(Fields),
    /// An exception of the server itself (`TApplicationException`): its text and its type, of which 1 is an unknown
    /// method.
    Refused(String, i32),
}

/// Reads the answer to the call `sequence` of `method`.
///
/// # Errors
/// Retriable where the connection ends; fatal where the other side does not speak this protocol, or says too much.
pub(crate) async fn answer(
    input: &mut (impl AsyncRead + Unpin + Send),
    method: &str,
    sequence: i32,
) -> Result<Answer> {
    let mut reader = Reader { input, left: MAX_ANSWER };
    let version = u32::from_be_bytes(reader.array().await?);
    if version & 0xffff_0000 != VERSION_1 {
        return Err(broken("it is no message of Thrift's binary protocol; is TLS or SASL needed there?"));
    }
    let name = reader.text().await?;
    let answered = i32::from_be_bytes(reader.array().await?);
    let fields = Box::pin(reader.fields(0)).await?;
    match version & 0xff {
        2 if name == method.as_bytes() && answered == sequence => Ok(Answer::Result(fields)),
        3 => {
            let number = match fields.get(2) {
                Some(Thrift::I32(number)) => *number,
                _ => 0,
            };
            Ok(Answer::Refused(fields.text(1).unwrap_or_default(), number))
        }
        _ => Err(broken("it is not the answer to what was asked")),
    }
}

fn broken(what: &str) -> Error {
    Error::fatal(format!("the answer cannot be read: {what}"))
}

struct Reader<'a, R> {
    input: &'a mut R,
    /// Bytes that the answer may still take.
    left: usize,
}

impl<R: AsyncRead + Unpin + Send> Reader<'_, R> {
    fn spend(&mut self, bytes: usize) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| broken("it is longer than 64 MiB"))?;
        Ok(())
    }

    async fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input
            .read_exact(&mut bytes)
            .await
            .map_err(|error| Error::retriable(format!("the connection ended: {error}")))?;
        Ok(bytes)
    }

    async fn length(&mut self) -> Result<usize> {
        usize::try_from(i32::from_be_bytes(self.array().await?)).map_err(|_| broken("a length is negative"))
    }

    async fn text(&mut self) -> Result<Vec<u8>> {
        let length = self.length().await?;
        self.spend(length)?;
        let mut bytes = Vec::new();
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        let read = (&mut *self.input).take(limit).read_to_end(&mut bytes).await;
        match read {
            Ok(read) if read == length => Ok(bytes),
            Ok(_) => Err(Error::retriable("the connection ended within a text")),
            Err(error) => Err(Error::retriable(format!("the connection ended: {error}"))),
        }
    }

    async fn fields(&mut self, depth: usize) -> Result<Fields> {
        let mut fields = Fields::default();
        loop {
            let [number] = self.array().await?;
            if number == ty::STOP {
                return Ok(fields);
            }
            let id = i16::from_be_bytes(self.array().await?);
            fields.0.push((id, self.value(number, depth).await?));
        }
    }

    async fn value(&mut self, number: u8, depth: usize) -> Result<Thrift> {
        if depth > MAX_DEPTH {
            return Err(broken("it is nested too deeply"));
        }
        self.spend(ELEMENT_BYTES)?;
        Ok(match number {
            ty::BOOL => Thrift::Bool(self.array::<1>().await? != [0]),
            ty::BYTE => Thrift::Byte(i8::from_be_bytes(self.array().await?)),
            ty::DOUBLE => Thrift::Double(f64::from_be_bytes(self.array().await?)),
            ty::I16 => Thrift::I16(i16::from_be_bytes(self.array().await?)),
            ty::I32 => Thrift::I32(i32::from_be_bytes(self.array().await?)),
            ty::I64 => Thrift::I64(i64::from_be_bytes(self.array().await?)),
            ty::TEXT => Thrift::Text(self.text().await?),
            ty::STRUCT => Thrift::Struct(Box::pin(self.fields(depth + 1)).await?),
            ty::MAP => {
                let [keys, values] = self.array().await?;
                let length = self.length().await?;
                let mut entries = Vec::new();
                for _ in 0..length {
                    let key = Box::pin(self.value(keys, depth + 1)).await?;
                    entries.push((key, Box::pin(self.value(values, depth + 1)).await?));
                }
                Thrift::Map(keys, values, entries)
            }
            ty::SET | ty::LIST => {
                let [items] = self.array().await?;
                let length = self.length().await?;
                let mut values = Vec::new();
                for _ in 0..length {
                    values.push(Box::pin(self.value(items, depth + 1)).await?);
                }
                if number == ty::SET { Thrift::Set(items, values) } else { Thrift::List(items, values) }
            }
            _ => return Err(broken("it has a type that Thrift does not have")),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { answer(&mut &*bytes, "m", 7).await })
    }

    fn reply(fields: &Fields) -> Vec<u8> {
        let mut bytes = call("m", 7, fields);
        bytes[3] = 2;
        bytes
    }

    #[test]
    fn a_call_has_the_bytes_of_the_specification() {
        let arguments = Fields::new([(1, "db".into()), (3, Thrift::I16(-1))]);
        let want = [
            &[0x80, 1, 0, 1, 0, 0, 0, 1, b'm', 0, 0, 0, 7][..],
            &[11, 0, 1, 0, 0, 0, 2, b'd', b'b'],
            &[6, 0, 3, 0xff, 0xff],
            &[0],
        ];
        assert_eq!(call("m", 7, &arguments), want.concat());
    }

    #[test]
    fn every_type_comes_back() {
        let inner = Fields::new([(1, Thrift::Bool(true)), (2, Thrift::Double(-0.5)), (5, Thrift::Byte(-3))]);
        let fields = Fields::new([
            (0, Thrift::Struct(inner.clone())),
            (1, Thrift::texts([("a", "b"), ("c", "")])),
            (2, Thrift::structs([inner.clone(), Fields::default()])),
            (3, Thrift::Set(ty::I64, vec![Thrift::I64(i64::MIN)])),
            (4, Thrift::I32(-4)),
            (9, Thrift::List(ty::TEXT, Vec::new())),
        ]);
        assert_eq!(read(&reply(&fields)).unwrap(), Answer::Result(fields.clone()));
        assert_eq!(fields.fields(0), Some(&inner));
        assert_eq!(fields.list(2).len(), 2);
    }

    #[test]
    fn exceptions_of_the_server_are_told_apart() {
        let mut bytes = call("m", 7, &Fields::new([(1, "Invalid method name".into()), (2, Thrift::I32(1))]));
        bytes[3] = 3;
        assert_eq!(read(&bytes).unwrap(), Answer::Refused("Invalid method name".into(), 1));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let other = [b"HTTP/1.1 400 Bad Request\r\n".to_vec(), {
            let mut other = reply(&Fields::default());
            other[12] = 8;
            other
        }];
        for bytes in other {
            let error = read(&bytes).unwrap_err();
            assert!(!error.is_retriable(), "{error}");
        }
        let cut = reply(&Fields::new([(1, "long text".into())]));
        for end in 0..cut.len() - 1 {
            assert!(read(&cut[..end]).unwrap_err().is_retriable(), "{end}");
        }
    }

    #[test]
    fn lengths_and_depths_are_bounded() {
        let head = &reply(&Fields::default())[..13];
        let huge = [head, &[ty::TEXT, 0, 1, 0x7f, 0xff, 0xff, 0xff]].concat();
        assert!(read(&huge).unwrap_err().to_string().contains("64 MiB"));
        let negative = [head, &[ty::LIST, 0, 1, ty::BOOL, 0xff, 0xff, 0xff, 0xff]].concat();
        assert!(read(&negative).unwrap_err().to_string().contains("negative"));
        let deep = [head, &[ty::STRUCT, 0, 1].repeat(100)].concat();
        assert!(read(&deep).unwrap_err().to_string().contains("too deeply"));
        // Elements without bytes of their own still count.
        let empty = [ty::STRUCT, 0x7f, 0xff, 0xff, 0xff];
        let many = [head, &[ty::LIST, 0, 1], &empty[..], &vec![0; 3 * 1024 * 1024]].concat();
        assert!(read(&many).is_err());
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_errors(bytes: Vec<u8>) {
            let head = &reply(&Fields::default())[..13];
            let _ = read(&[head, &bytes[..]].concat());
            let _ = read(&bytes);
        }
    }
}
