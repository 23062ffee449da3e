//! Keys in Debezium's offsets: an array of objects in Java's serialised form, in hex.
//!
//! The grammar is that of the Java Object Serialization Specification (chapter 6). What keys are made of is read and
//! written: integers, texts, booleans and UUIDs. Of anything else (numbers with a fraction, dates) there is no key, and the
//! table is begun again.

use lavka_api::data::Str;
use lavka_api::hex;

use super::state::Key;

/// The form of "no key": a null.
const NULL: &str = "aced000570";

/// Magic number and version of the stream.
const HEADER: [u8; 4] = [0xac, 0xed, 0x00, 0x05];
/// The description of `Object[]`, which has no fields and no superclass.
const ARRAY: [u8; 4] = [0x75, 0x72, 0x00, 0x13];
const ARRAY_NAME: &[u8] = b"[Ljava.lang.Object;";
const ARRAY_ID: u64 = 0x90ce_589f_1073_296c;

const TC_NULL: u8 = 0x70;
const TC_REFERENCE: u8 = 0x71;
const TC_CLASSDESC: u8 = 0x72;
const TC_OBJECT: u8 = 0x73;
const TC_STRING: u8 = 0x74;
const TC_ENDBLOCKDATA: u8 = 0x78;
/// The first handle.
const FIRST: u32 = 0x007e_0000;

/// What Java's driver makes of a column of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    /// `smallint`, `integer`: `java.lang.Integer`.
    Integer,
    /// `bigint`, `oid`: `java.lang.Long`.
    Long,
    /// `boolean`: `java.lang.Boolean`.
    Boolean,
    /// Texts: `java.lang.String`.
    Text,
    /// `uuid`: `java.util.UUID`.
    Uuid,
    /// Anything else.
    Other,
}

impl KeyType {
    /// By the name of the type as `format_type` gives it.
    pub(crate) fn named(name: &str) -> Self {
        let base = name.split('(').next().unwrap_or_default().trim();
        match base {
            "smallint" | "integer" => Self::Integer,
            "bigint" | "oid" => Self::Long,
            "boolean" => Self::Boolean,
            "text" | "character varying" | "character" | "name" => Self::Text,
            "uuid" => Self::Uuid,
            _ => Self::Other,
        }
    }
}

/// A class with primitive fields alone.
#[derive(Clone, Debug)]
struct Class {
    name: String,
    /// Types of the fields, those of superclasses first.
    fields: Vec<u8>,
}

/// What a handle stands for.
#[derive(Clone, Debug)]
enum Handle {
    Class(Class),
    Value(Option<Str>),
    Nothing,
}

/// The key as Debezium writes it; the form of "no key" where it has columns of other types.
pub(super) fn encode(key: Option<&Key>, types: &[KeyType]) -> Str {
    let bytes =
        key.filter(|key| key.len() == types.len()).and_then(|key| Writer::default().array(key, types));
    bytes.map_or(Str::from_static(NULL), |bytes| Str::from(hex::encode(&bytes)))
}

/// The key of such a text, as the server's texts; `None` for no key, and for what cannot be read.
pub(super) fn decode(text: &str) -> Option<Key> {
    let bytes = hex::decode(text)?;
    let mut reader = Reader { rest: bytes.strip_prefix(&HEADER)?, handles: Vec::new() };
    reader.array()
}

#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    handles: u32,
    /// Handles of classes, by name.
    classes: Vec<(&'static str, u32)>,
}

impl Writer {
    fn array(mut self, key: &Key, types: &[KeyType]) -> Option<Vec<u8>> {
        self.out.extend(HEADER);
        self.out.extend(ARRAY);
        self.out.extend(ARRAY_NAME);
        self.out.extend(ARRAY_ID.to_be_bytes());
        self.out.extend([0x02, 0, 0, TC_ENDBLOCKDATA, TC_NULL]);
        self.out.extend(u32::try_from(key.len()).ok()?.to_be_bytes());
        // The class and the array itself.
        self.handles = FIRST + 2;
        for (text, ty) in key.iter().zip(types) {
            match text {
                None => self.out.push(TC_NULL),
                Some(text) => self.value(text, *ty)?,
            }
        }
        Some(self.out)
    }

    fn value(&mut self, text: &str, ty: KeyType) -> Option<()> {
        match ty {
            KeyType::Integer => {
                let value: i32 = text.parse().ok()?;
                self.number("java.lang.Integer", 0x12e2_a0a4_f781_8738, b'I');
                self.out.extend(value.to_be_bytes());
            }
            KeyType::Long => {
                let value: i64 = text.parse().ok()?;
                self.number("java.lang.Long", 0x3b8b_e490_cc8f_23df, b'J');
                self.out.extend(value.to_be_bytes());
            }
            KeyType::Boolean => {
                self.out.push(TC_OBJECT);
                self.class("java.lang.Boolean", 0xcd20_7280_d59c_faee, &[(b'Z', "value")], |writer| {
                    writer.out.push(TC_NULL);
                });
                self.out.push(u8::from(text == "t" || text == "true"));
                self.handles += 1;
            }
            KeyType::Uuid => {
                let digits: String = text.chars().filter(|&c| c != '-').collect();
                let bits = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
                let fields = [(b'J', "leastSigBits"), (b'J', "mostSigBits")];
                self.out.push(TC_OBJECT);
                self.class("java.util.UUID", 0xbc99_03f7_986d_852f, &fields, |writer| {
                    writer.out.push(TC_NULL);
                });
                let bytes = bits.to_be_bytes();
                let (most, least) = bytes.split_at(8);
                self.out.extend(least);
                self.out.extend(most);
                self.handles += 1;
            }
            KeyType::Text => {
                let bytes = modified_utf8(text);
                self.out.push(TC_STRING);
                self.out.extend(u16::try_from(bytes.len()).ok()?.to_be_bytes());
                self.out.extend(bytes);
                self.handles += 1;
            }
            KeyType::Other => return None,
        }
        Some(())
    }

    fn number(&mut self, name: &'static str, id: u64, field: u8) {
        self.out.push(TC_OBJECT);
        self.class(name, id, &[(field, "value")], |writer| {
            writer.class("java.lang.Number", 0x86ac_951d_0b94_e08b, &[], |writer| writer.out.push(TC_NULL));
        });
        self.handles += 1;
    }

    /// A class, the first time with its description.
    fn class(&mut self, name: &'static str, id: u64, fields: &[(u8, &str)], above: impl FnOnce(&mut Self)) {
        if let Some((_, handle)) = self.classes.iter().find(|(known, _)| *known == name) {
            let handle = handle.to_be_bytes();
            self.out.push(TC_REFERENCE);
            self.out.extend(handle);
            return;
        }
        self.out.push(TC_CLASSDESC);
        self.short_text(name);
        self.out.extend(id.to_be_bytes());
        self.classes.push((name, self.handles));
        self.handles += 1;
        self.out.extend([0x02, 0, u8::try_from(fields.len()).unwrap_or_default()]);
        for (ty, field) in fields {
            self.out.push(*ty);
            self.short_text(field);
        }
        self.out.push(TC_ENDBLOCKDATA);
        above(self);
    }

    /// A name of a class or field: short, and in ASCII.
    fn short_text(&mut self, text: &str) {
        self.out.extend([0, u8::try_from(text.len()).unwrap_or_default()]);
        self.out.extend(text.as_bytes());
    }
}

/// Java's own UTF-8: zero is two bytes, and characters beyond the first plane are two surrogates of three bytes each.
fn modified_utf8(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let [high, low] = unit.to_be_bytes();
        match unit {
            1..=0x7f => out.push(low),
            0 | 0x80..=0x7ff => out.extend([0xc0 | (high << 2) | (low >> 6), 0x80 | (low & 0x3f)]),
            _ => {
                out.extend([
                    0xe0 | (high >> 4),
                    0x80 | ((high & 0xf) << 2) | (low >> 6),
                    0x80 | (low & 0x3f),
                ]);
            }
        }
    }
    out
}

fn from_modified_utf8(bytes: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter().copied();
    while let Some(first) = bytes.next() {
        let mut next = || bytes.next().filter(|byte| byte & 0xc0 == 0x80).map(|byte| u16::from(byte & 0x3f));
        units.push(match first {
            0x00..=0x7f => u16::from(first),
            0xc0..=0xdf => u16::from(first & 0x1f) << 6 | next()?,
            0xe0..=0xef => u16::from(first & 0xf) << 12 | next()? << 6 | next()?,
            _ => return None,
        });
    }
    String::from_utf16(&units).ok()
}

struct Reader<'a> {
    rest: &'a [u8],
    handles: Vec<Handle>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn short_text(&mut self) -> Option<&'a [u8]> {
        let length = self.number(2)?;
        self.take(usize::try_from(length).ok()?)
    }

    fn array(&mut self) -> Option<Key> {
        if self.take(ARRAY.len())? != ARRAY || self.take(ARRAY_NAME.len())? != ARRAY_NAME {
            return None;
        }
        // Its id, flags, no fields, no annotations, no superclass.
        self.take(8 + 1 + 2 + 1 + 1)?;
        self.handles.extend([Handle::Nothing, Handle::Nothing]);
        // More columns than a table can have are none of ours.
        let count = self.number(4).filter(|&count| count <= 1600)?;
        (0..count).map(|_| self.value()).collect()
    }

    /// A value as text; the outer `None` where it is none that keys are made of.
    fn value(&mut self) -> Option<Option<Str>> {
        match self.byte()? {
            TC_NULL => Some(None),
            TC_REFERENCE => match self.handle()? {
                Handle::Value(value) => Some(value),
                Handle::Class(_) | Handle::Nothing => None,
            },
            TC_STRING => {
                let text = from_modified_utf8(self.short_text()?)?;
                let value = Some(Str::from(text));
                self.handles.push(Handle::Value(value.clone()));
                Some(value)
            }
            TC_OBJECT => {
                let class = self.class(0)?;
                let at = self.handles.len();
                self.handles.push(Handle::Nothing);
                let value = self.fields(&class)?;
                *self.handles.get_mut(at)? = Handle::Value(value.clone());
                Some(value)
            }
            _ => None,
        }
    }

    fn handle(&mut self) -> Option<Handle> {
        let at = u32::try_from(self.number(4)?).ok()?.checked_sub(FIRST)?;
        self.handles.get(usize::try_from(at).ok()?).cloned()
    }

    /// A description of a class; there are few superclasses.
    fn class(&mut self, depth: u8) -> Option<Class> {
        match self.byte()? {
            TC_REFERENCE => match self.handle()? {
                Handle::Class(class) => Some(class),
                Handle::Value(_) | Handle::Nothing => None,
            },
            TC_NULL => Some(Class { name: String::new(), fields: Vec::new() }),
            TC_CLASSDESC if depth < 4 => {
                let name = String::from_utf8(self.short_text()?.to_vec()).ok()?;
                self.take(8)?;
                let at = self.handles.len();
                self.handles.push(Handle::Nothing);
                // Written by the default way, without anything of the class's own.
                if self.byte()? != 0x02 {
                    return None;
                }
                let count = self.number(2)?;
                let mut own = Vec::new();
                for _ in 0..count {
                    own.push(self.byte().filter(|ty| b"BCDFIJSZ".contains(ty))?);
                    self.short_text()?;
                }
                if self.byte()? != TC_ENDBLOCKDATA {
                    return None;
                }
                let mut fields = self.class(depth + 1)?.fields;
                fields.extend(own);
                let class = Class { name, fields };
                *self.handles.get_mut(at)? = Handle::Class(class.clone());
                Some(class)
            }
            _ => None,
        }
    }

    fn fields(&mut self, class: &Class) -> Option<Option<Str>> {
        let mut values = Vec::new();
        for ty in &class.fields {
            let bytes = match ty {
                b'B' | b'Z' => 1,
                b'C' | b'S' => 2,
                b'I' | b'F' => 4,
                _ => 8,
            };
            values.push(self.number(bytes)?);
        }
        let text = match (class.name.as_str(), values.as_slice()) {
            ("java.lang.Integer", [value]) => u32::try_from(*value).ok()?.cast_signed().to_string(),
            ("java.lang.Short", [value]) => u16::try_from(*value).ok()?.cast_signed().to_string(),
            ("java.lang.Long", [value]) => value.cast_signed().to_string(),
            ("java.lang.Boolean", [value]) => if *value == 0 { "f" } else { "t" }.to_owned(),
            ("java.util.UUID", [least, most]) => {
                let text = format!("{most:016x}{least:016x}");
                let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
                format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
            }
            _ => return None,
        };
        Some(Some(Str::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes in hex, the texts of the key, and its types.
    type Example = (&'static str, &'static [Option<&'static str>], &'static [KeyType]);

    /// What `ObjectOutputStream` of JDK 17 writes for `{6}`, `{7L, "aé", 7, 5L}` and
    /// `{UUID, null, true}`.
    const JAVA: [Example; 3] = [
        (
            "aced0005757200135b4c6a6176612e6c616e672e4f626a6563743b90ce589f1073296c020000787000000001737200116a6176612e6c616e672e496e746567657212e2a0a4f781873802000149000576616c7565787200106a6176612e6c616e672e4e756d62657286ac951d0b94e08b020000787000000006",
            &[Some("6")],
            &[KeyType::Integer],
        ),
        (
            "aced0005757200135b4c6a6176612e6c616e672e4f626a6563743b90ce589f1073296c0200007870000000047372000e6a6176612e6c616e672e4c6f6e673b8be490cc8f23df0200014a000576616c7565787200106a6176612e6c616e672e4e756d62657286ac951d0b94e08b0200007870000000000000000774000361c3a9737200116a6176612e6c616e672e496e746567657212e2a0a4f781873802000149000576616c75657871007e0003000000077371007e00020000000000000005",
            &[Some("7"), Some("aé"), Some("7"), Some("5")],
            &[KeyType::Long, KeyType::Text, KeyType::Integer, KeyType::Long],
        ),
        (
            "aced0005757200135b4c6a6176612e6c616e672e4f626a6563743b90ce589f1073296c0200007870000000037372000e6a6176612e7574696c2e55554944bc9903f7986d852f0200024a000c6c65617374536967426974734a000b6d6f73745369674269747378708f701122334455666f8c2b1e3a4d4c5e70737200116a6176612e6c616e672e426f6f6c65616ecd207280d59cfaee0200015a000576616c7565787001",
            &[Some("6f8c2b1e-3a4d-4c5e-8f70-112233445566"), None, Some("t")],
            &[KeyType::Uuid, KeyType::Integer, KeyType::Boolean],
        ),
    ];

    fn key(texts: &[Option<&str>]) -> Key {
        texts.iter().map(|text| text.map(Str::from)).collect()
    }

    #[test]
    fn keys_are_written_and_read_as_java_does() {
        for (bytes, texts, types) in JAVA {
            assert_eq!(encode(Some(&key(texts)), types).as_str(), bytes);
            assert_eq!(decode(bytes), Some(key(texts)));
        }
        assert_eq!(encode(None, &[KeyType::Integer]).as_str(), NULL);
        assert_eq!(encode(Some(&key(&[Some("1.5")])), &[KeyType::Other]).as_str(), NULL);
        assert_eq!(decode(NULL), None);
    }

    #[test]
    fn what_occurs_twice_is_there_once() {
        // `{1, 1}`: small integers are one object.
        let twice = "aced0005757200135b4c6a6176612e6c616e672e4f626a6563743b90ce589f1073296c020000787000000002737200116a6176612e6c616e672e496e746567657212e2a0a4f781873802000149000576616c7565787200106a6176612e6c616e672e4e756d62657286ac951d0b94e08b02000078700000000171007e0004";
        assert_eq!(decode(twice), Some(key(&[Some("1"), Some("1")])));
    }

    #[test]
    fn what_is_no_key_is_none() {
        // `{new BigDecimal("1.5")}`.
        let decimal = "aced0005757200135b4c6a6176612e6c616e672e4f626a6563743b90ce589f1073296c020000787000000001737200146a6176612e6d6174682e426967446563696d616c54c71557f981284f0300024900057363616c654c0006696e7456616c";
        for text in ["", "ac", "zz", "aced0005", decimal, "aced000575720013"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn texts_come_back(text: String, number: i64) {
            let texts = vec![Some(Str::from(text.as_str())), Some(Str::from(number.to_string()))];
            let encoded = encode(Some(&texts), &[KeyType::Text, KeyType::Long]);
            prop_assert_eq!(decode(&encoded), Some(texts));
        }

        #[test]
        fn no_bytes_panic(at in 0usize..190, byte: u8) {
            let mut bytes = JAVA[1].0.as_bytes().to_vec();
            bytes[at * 2] = b"0123456789abcdef"[usize::from(byte & 15)];
            bytes[at * 2 + 1] = b"0123456789abcdef"[usize::from(byte >> 4)];
            let _ = decode(std::str::from_utf8(&bytes).unwrap());
        }
    }
}
