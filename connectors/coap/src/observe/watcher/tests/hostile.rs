//! Whatever a server sends.

use proptest::prelude::*;

use super::*;

proptest! {
    /// Whatever a server sends, whenever: no panic, and nothing beyond the bounds.
    #[test]
    fn servers_do_no_harm(
        steps in prop::collection::vec(
            (0u8..4, 0u8..4, any::<u8>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..40), 0u64..40_000),
            0..60,
        )
    ) {
        let mut client = Client::with(|settings| {
            settings.wishes.push(Wish::parse("#").unwrap());
            settings.readings = 3;
        });
        let mut asked = client.sent.clone();
        for (what, kind, code, id, mut bytes, wait) in steps {
            asked.append(&mut client.sent);
            let about = asked.get(usize::from(id) % asked.len().max(1));
            let token = about.map(|packet| packet.get_token().to_vec()).unwrap_or_default();
            let id = if what == 0 { id } else { about.map_or(id, |packet| packet.header.message_id) };
            let mut datagram = vec![0x40 | kind << 4 | token.len() as u8, code, (id >> 8) as u8, id as u8];
            if what > 1 {
                datagram[1] = code::CONTENT;
            }
            datagram.extend_from_slice(&token);
            datagram.append(&mut bytes);
            client.step(|watcher, now, out| watcher.datagram(now, 5, Peer::test(PEER), &datagram, out));
            client.wait(wait);
            if what == 3 {
                client.settle();
            }
            prop_assert!(client.watcher.pending.len() <= 3 + client.watcher.servers.len());
            prop_assert!(client.watcher.partial <= 1000);
            prop_assert!(client.watcher.targets.len() <= 10);
        }
    }
}
