//! Messages of Protocol Buffers, of which ORC's footers are made (`orc_proto.proto`).

use super::runs::write_varint;

/// The bytes of a message.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;

impl Message {
    fn tag(&mut self, field: u32, kind: u32) {
        write_varint((field << 3 | kind).into(), &mut self.0);
    }

    pub(super) fn number(mut self, field: u32, value: u64) -> Self {
        self.tag(field, VARINT);
        write_varint(value.into(), &mut self.0);
        self
    }

    pub(super) fn signed(self, field: u32, value: i64) -> Self {
        self.number(field, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned())
    }

    pub(super) fn double(mut self, field: u32, value: f64) -> Self {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.tag(field, BYTES);
        write_varint(bytes.len() as u128, &mut self.0);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn message(self, field: u32, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }

    pub(super) fn packed(self, field: u32, values: impl IntoIterator<Item = u32>) -> Self {
        let mut bytes = Vec::new();
        values.into_iter().for_each(|value| write_varint(value.into(), &mut bytes));
        self.bytes(field, &bytes)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
