//! `GzipDecompress`: unpacks a key or value of bytes that gzip packed.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use lavka_api::data::{Datum, Record, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, ErrorClass, Result};

use crate::operand::Side;

/// More than this out of one record is an attack rather than a message.
const MAX_UNPACKED: u64 = 64 << 20;

lavka_api::config! {
    /// No keys.
    pub(crate) struct GzipDecompressConfig {}
}

pub(crate) struct GzipDecompress {
    side: Side,
}

impl GzipDecompress {
    pub(crate) fn new(side: Side) -> Self {
        Self { side }
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(MAX_UNPACKED + 1);
    decoder.read_to_end(&mut unpacked).map_err(|error| {
        let cause = Error::new(ErrorClass::Data, "java.util.zip.ZipException", error.to_string());
        Error::data("GzipDecompress was given bytes that are not gzip's").caused_by(cause)
    })?;
    if unpacked.len() as u64 > MAX_UNPACKED {
        return Err(Error::data(format!(
            "GzipDecompress was given {} bytes that unpack to more than {MAX_UNPACKED}",
            packed.len()
        )));
    }
    Ok(unpacked)
}

impl Transform for GzipDecompress {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let operand: &mut Datum = self.side.of(record);
        match &operand.value {
            Value::Null => {}
            Value::Bytes(packed) => operand.value = Value::Bytes(unpack(packed)?.into()),
            other => {
                let class = other.java_class();
                return Err(Error::data(format!(
                    "GzipDecompress unpacks bytes alone, and was given {class}"
                )));
            }
        }
        Ok(Verdict::Keep)
    }
}
