//! What a device sent.

use lavka_api::data::Str;

use crate::outlet::Item;
use crate::peer::Peer;
use crate::resource::Variables;

/// A whole request to a resource.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// By which its outcome is reported.
    pub(crate) ticket: u64,
    pub(crate) peer: Peer,
    /// Who the peer has shown to be, over DTLS.
    pub(crate) identity: Option<Str>,
    /// POST or PUT, as a code.
    pub(crate) method: u8,
    /// The place of the resource among those configured.
    pub(crate) resource: usize,
    /// The path as the device gave it, with a slash before each segment.
    pub(crate) path: Str,
    pub(crate) variables: Variables,
    /// Each Uri-Query option.
    pub(crate) query: Vec<Str>,
    pub(crate) content_format: Option<u32>,
    pub(crate) confirmable: bool,
    /// Of the message, or of its last block.
    pub(crate) message_id: u16,
    pub(crate) token: Vec<u8>,
    /// Epoch milliseconds.
    pub(crate) received: i64,
    pub(crate) payload: Vec<u8>,
}

impl Item for Request {
    fn ticket(&self) -> u64 {
        self.ticket
    }
}

impl Request {
    /// Bytes that count towards what may be under way.
    pub(crate) fn size(&self) -> usize {
        const OVERHEAD: usize = 256;
        let query: usize = self.query.iter().map(|part| part.len()).sum();
        let variables: usize = self.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.payload.len() + self.path.len() + query + variables + OVERHEAD
    }
}
