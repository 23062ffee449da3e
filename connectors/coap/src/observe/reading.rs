//! What a server said of a resource.

use coap_lite::Packet;
use lavka_api::data::Str;

use crate::outlet::Item;
use crate::peer::Peer;
use crate::resource::Variables;

/// A whole representation.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// By which its delivery is reported.
    pub(crate) ticket: u64,
    /// The places of its server and of its wish among those configured.
    pub(crate) server: usize,
    pub(crate) wish: usize,
    /// Path and query, as `/a/b?c=1`.
    pub(crate) resource: Str,
    pub(crate) variables: Variables,
    pub(crate) peer: Peer,
    /// A notification, not an answer.
    pub(crate) notification: bool,
    /// Epoch milliseconds.
    pub(crate) received: i64,
    pub(crate) etag: Option<Vec<u8>>,
    /// The message, with the whole representation as its payload. Of one in blocks: type, id and sequence number of the
    /// first message, the other options of the last.
    pub(crate) packet: Box<Packet>,
}

impl Item for Reading {
    fn ticket(&self) -> u64 {
        self.ticket
    }
}

impl Reading {
    /// Bytes that count towards what may be under way.
    pub(crate) fn size(&self) -> usize {
        const OVERHEAD: usize = 768;
        self.packet.payload.len() + self.resource.len() + OVERHEAD
    }
}
