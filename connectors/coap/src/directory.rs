//! `/.well-known/core`: what can be written to (RFC 6690), in blocks where it is long (RFC 7959, section 2.4). Pure.

use std::hash::{DefaultHasher, Hash, Hasher};

use coap_lite::{MessageType, Packet};

use crate::links::{self, Filter, Link};
use crate::resource::Resource;
use crate::wire::{Block, Draft, all, code, first, option, uint};

/// application/link-format
const LINK_FORMAT: u32 = 40;

/// Blocks of 1024 bytes unless the client asks for smaller ones.
const LARGEST_EXPONENT: u8 = 6;

/// The directory: its links, read and as text.
#[derive(Debug)]
pub(crate) struct Directory {
    links: Vec<(Link, String)>,
}

impl Directory {
    pub(crate) fn new(resources: &[Resource]) -> Self {
        let mut links: Vec<String> = resources.iter().map(Resource::link).collect();
        // Two patterns may begin with the same fixed part.
        links.dedup();
        let read = links.into_iter().filter_map(|text| Some((links::parse(&text).into_iter().next()?, text)));
        Self { links: read.collect() }
    }

    /// The links that `request` asks for by the attributes in its query, if by any (RFC 6690, section 4.1).
    fn text(&self, request: &Packet) -> String {
        let read = |part: &[u8]| Filter::parse(std::str::from_utf8(part).ok()?).ok();
        // What is no filter holds for nothing.
        let Some(filters) = all(request, option::URI_QUERY).map(read).collect::<Option<Vec<_>>>() else {
            return String::new();
        };
        let links = self.links.iter().filter(|(link, _)| link.passes(&filters));
        links.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Whether a question to everybody is worth an answer: it must not be an error, nor empty (RFC 7252, section 8.2; RFC
    /// 6690, section 4.1).
    pub(crate) fn has(&self, request: &Packet) -> bool {
        !self.text(request).is_empty()
    }

    /// Whether `path` is the directory's.
    pub(crate) fn is_at(path: &[&str]) -> bool {
        path == [".well-known", "core"]
    }

    /// The answer to `request`, or the block of it that is asked for.
    pub(crate) fn answer(&self, request: &Packet, kind: MessageType, id: u16) -> Draft {
        let draft = |code| Draft::new(kind, code, id, request.get_token());
        if first(request, option::ACCEPT).and_then(uint).is_some_and(|format| format != LINK_FORMAT) {
            return draft(code::NOT_ACCEPTABLE);
        }
        let asked = match first(request, option::BLOCK2).map(Block::parse) {
            Some(None) => return draft(code::BAD_REQUEST),
            Some(Some(block)) => Some(block),
            None => None,
        };
        let block = asked.unwrap_or(Block { number: 0, more: false, size_exponent: LARGEST_EXPONENT });
        let text = self.text(request);
        // Not secret, and the same in every process, so that a client can compare over restarts.
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let (etag, text) = (hasher.finish().to_be_bytes(), text.as_bytes());
        let start = usize::try_from(block.number).unwrap_or(usize::MAX).saturating_mul(block.size());
        if start > 0 && start >= text.len() {
            return draft(code::BAD_REQUEST);
        }
        let end = start.saturating_add(block.size()).min(text.len());
        let part = text.get(start..end).unwrap_or_default().to_vec();
        let mut answer =
            draft(code::CONTENT).bytes(option::ETAG, &etag).number(option::CONTENT_FORMAT, LINK_FORMAT);
        if asked.is_some() || end < text.len() {
            let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
            answer = answer
                .block(option::BLOCK2, Block { more: end < text.len(), ..block })
                .number(option::SIZE2, size);
        }
        answer.payload(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{all, code_of, read};

    fn directory(patterns: &[&str]) -> Directory {
        Directory::new(&patterns.iter().map(|p| Resource::parse(p).unwrap()).collect::<Vec<_>>())
    }

    fn ask(directory: &Directory, options: &[(u16, u32)]) -> Packet {
        let mut request = Draft::new(MessageType::Confirmable, code::GET, 1, &[9]);
        for (number, value) in options {
            request = request.number(*number, *value);
        }
        let request = read(&request.datagram()).unwrap();
        read(&directory.answer(&request, MessageType::Acknowledgement, 1).datagram()).unwrap()
    }

    #[test]
    fn a_short_one_comes_whole() {
        let answer = ask(&directory(&["a", "s/{device}"]), &[]);
        assert_eq!(code_of(&answer), code::CONTENT);
        assert_eq!(answer.get_token(), [9]);
        assert_eq!(first(&answer, option::CONTENT_FORMAT), Some(&[40][..]));
        let text = String::from_utf8(answer.payload.clone()).unwrap();
        assert_eq!(text, "</a>;rt=\"lavka.ingest\",</s>;rt=\"lavka.ingest\";title=\"/s/{device}\"");
        assert_eq!(all(&answer, option::BLOCK2).count(), 0);
    }

    #[test]
    fn a_long_one_comes_in_blocks() {
        let patterns: Vec<String> = (0..100).map(|n| format!("resource-{n}")).collect();
        let directory = directory(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
        for exponent in [6, 2] {
            let mut text = Vec::new();
            for number in 0.. {
                let answer = ask(&directory, &[(option::BLOCK2, number << 4 | exponent)]);
                let block = Block::parse(first(&answer, option::BLOCK2).unwrap()).unwrap();
                assert_eq!((block.number, u32::from(block.size_exponent)), (number, exponent));
                text.extend_from_slice(&answer.payload);
                if !block.more {
                    break;
                }
            }
            assert_eq!(text, directory.text(&Packet::new()).as_bytes());
        }
        let first_block = ask(&directory, &[]);
        assert_eq!(first_block.payload.len(), 1024);
        assert!(Block::parse(first(&first_block, option::BLOCK2).unwrap()).unwrap().more);
    }

    #[test]
    fn links_are_asked_for_by_their_attributes() {
        let directory = directory(&["a", "s/{device}", "s/temp"]);
        for (queries, links) in [
            (&["rt=lavka.*"][..], 3),
            (&["rt=other"], 0),
            (&["href=/s*"], 2),
            (&["href=/s*", "title"], 1),
            (&["="], 0),
        ] {
            let request = queries
                .iter()
                .fold(Draft::new(MessageType::NonConfirmable, code::GET, 1, &[9]), |draft, query| {
                    draft.bytes(option::URI_QUERY, query.as_bytes())
                });
            let request = read(&request.datagram()).unwrap();
            let answer =
                read(&directory.answer(&request, MessageType::NonConfirmable, 1).datagram()).unwrap();
            let found = links::parse(std::str::from_utf8(&answer.payload).unwrap());
            assert_eq!((found.len(), directory.has(&request)), (links, links > 0), "{queries:?}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        let directory = directory(&["a"]);
        for (asked, refused) in [
            ((option::ACCEPT, 50), code::NOT_ACCEPTABLE),
            ((option::BLOCK2, 7), code::BAD_REQUEST),
            ((option::BLOCK2, 9 << 4), code::BAD_REQUEST),
        ] {
            assert_eq!(code_of(&ask(&directory, &[asked])), refused);
        }
    }
}
