//! Answers, and to whom.

use coap_lite::{MessageType, Packet};

use crate::peer::Peer;
use crate::repeats::Reply;
use crate::wire::{self, Block, Draft, code, option};

/// What of a request is needed to answer it.
#[derive(Clone, Debug)]
pub(super) struct To {
    pub(super) peer: Peer,
    pub(super) id: u16,
    pub(super) token: Vec<u8>,
    pub(super) confirmable: bool,
    block1: Option<Block>,
    /// Classes of answers that the device does not want (RFC 7967).
    no_response: u32,
}

/// No-Response, RFC 7967.
const NO_RESPONSE: u16 = 258;

impl To {
    /// To whoever sent `packet`.
    pub(super) fn answer(peer: Peer, packet: &Packet) -> Self {
        Self {
            peer,
            id: packet.header.message_id,
            token: packet.get_token().to_vec(),
            confirmable: packet.header.get_type() == MessageType::Confirmable,
            block1: wire::first(packet, option::BLOCK1).and_then(Block::parse),
            no_response: wire::first(packet, NO_RESPONSE).and_then(wire::uint).unwrap_or(0),
        }
    }

    /// Whether the device wants an answer with `code`. A refused block always gets one: nothing could follow it.
    pub(super) fn wants(&self, code: u8) -> bool {
        let class = match code >> 5 {
            2 => 2,
            4 => 8,
            5 => 16,
            _ => 0,
        };
        code == code::CONTINUE || self.no_response & class == 0
    }

    /// What a repeat is to get once an answer with `code` went out.
    pub(super) fn reply(&self, code: u8) -> Reply {
        match self.confirmable {
            true => Reply::Piggybacked(code),
            false => Reply::Silence,
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) code: u8,
    max_age: Option<u32>,
    size1: Option<u32>,
    /// A diagnostic payload (RFC 7252, section 5.5.2).
    diagnostic: Option<String>,
}

impl Answer {
    /// An answer with nothing but `code`.
    pub(super) fn of(code: u8) -> Self {
        Self { code, max_age: None, size1: None, diagnostic: None }
    }

    pub(super) fn with_max_age(self, seconds: u32) -> Self {
        Self { max_age: Some(seconds), ..self }
    }

    /// With Max-Age, if it is a 5.03.
    pub(super) fn with_max_age_if_unavailable(self, seconds: u32) -> Self {
        if self.code == code::SERVICE_UNAVAILABLE { self.with_max_age(seconds) } else { self }
    }

    pub(super) fn with_size1(self, bytes: u32) -> Self {
        Self { size1: Some(bytes), ..self }
    }

    pub(super) fn saying(self, text: &str) -> Self {
        Self { diagnostic: Some(text.to_owned()), ..self }
    }

    /// The message. An answer to a block names the block (RFC 7959, section 2.3), but for one that says that it is not
    /// known as such.
    pub(super) fn draft(&self, to: &To, kind: MessageType, id: u16) -> Draft {
        let mut draft = Draft::new(kind, self.code, id, &to.token);
        if let Some(seconds) = self.max_age {
            draft = draft.number(option::MAX_AGE, seconds);
        }
        if let Some(block) = to.block1 {
            draft = draft.block(option::BLOCK1, block);
        }
        if let Some(bytes) = self.size1 {
            draft = draft.number(option::SIZE1, bytes);
        }
        match &self.diagnostic {
            Some(text) => draft.payload(text.clone().into_bytes()),
            None => draft,
        }
    }
}
