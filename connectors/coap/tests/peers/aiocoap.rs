//! aiocoap, as a server whose resource changes and comes in blocks, and as a client.

use std::time::Duration;

use lavka_testkit::{Python, cannot_run, free_port, temp_dir, write_file};
use tokio::net::UdpSocket;

use crate::source::Source;

/// A resource of 3000 bytes that changes 20 times once another is asked for, and one that cannot be observed. It ends when
/// `/test/end` is asked for, or with an error when that does not come.
const SERVER: &str = r#"
import asyncio, sys
import aiocoap, aiocoap.resource as resource

class Counter(resource.ObservableResource):
    def __init__(self):
        super().__init__()
        self.count = 0

    async def change(self):
        for self.count in range(1, 21):
            await asyncio.sleep(0.05)
            self.updated_state()

    async def render_get(self, request):
        message = aiocoap.Message(payload=bytes([ord('a') + self.count]) * 3000)
        message.opt.etag = bytes([self.count + 1])
        return message

class Plain(resource.Resource):
    async def render_get(self, request):
        return aiocoap.Message(payload=b'plain')

class Begin(resource.Resource):
    def __init__(self, counter):
        super().__init__()
        self.counter = counter
        self.changing = None

    async def render_get(self, request):
        self.changing = self.changing or asyncio.ensure_future(self.counter.change())
        return aiocoap.Message(payload=b'begun')

class End(resource.Resource):
    def __init__(self, end):
        super().__init__()
        self.end = end

    async def render_get(self, request):
        self.end.set()
        return aiocoap.Message(payload=b'ended')

async def main():
    site = resource.Site()
    end = asyncio.Event()
    counter = Counter()
    site.add_resource(['counter'], counter)
    site.add_resource(['plain'], Plain())
    site.add_resource(['begin'], Begin(counter))
    site.add_resource(['test', 'end'], End(end))
    site.add_resource(['.well-known', 'core'], resource.WKCResource(site.get_resources_as_linkheader))
    await aiocoap.Context.create_server_context(site, bind=('127.0.0.1', int(sys.argv[1])))
    await asyncio.wait_for(end.wait(), 120)

asyncio.run(main())
"#;

/// Writes readings: small ones, and one in blocks.
const CLIENT: &str = r#"
import asyncio, sys
import aiocoap

async def main():
    context = await aiocoap.Context.create_client_context()
    for payload in [b'1', b'2', b'x' * 4000]:
        request = aiocoap.Message(code=aiocoap.POST, payload=payload, uri=sys.argv[1])
        print((await context.request(request).response).code)
    await context.shutdown()

asyncio.run(main())
"#;

/// How long a program may run; it ends long before where all is well.
const LIMIT: Duration = Duration::from_secs(150);

/// The Python with aiocoap; none where it cannot be had.
async fn python(test: &'static str) -> Option<Python> {
    match tokio::task::spawn_blocking(Python::for_coap).await.unwrap() {
        Ok(python) => Some(python),
        Err(error) => {
            cannot_run(test, &format!("aiocoap for Python: {error:?}"));
            None
        }
    }
}

#[tokio::test]
async fn a_server_whose_resource_comes_in_blocks_and_changes() {
    let test = "a_server_whose_resource_comes_in_blocks_and_changes";
    let Some(python) = python(test).await else { return };
    let folder = temp_dir();
    write_file(folder.path(), "server.py", SERVER.as_bytes());
    let port = free_port();
    let path = folder.path().to_owned();
    let serving = tokio::task::spawn_blocking(move || {
        let port = port.to_string();
        python.run(&path, &["server.py", &port], LIMIT)
    });
    let uri = format!("coap://127.0.0.1:{port}");
    let resources = "counter,{name}";
    let poll = [("lavka.coap.poll.interval.ms", "1000"), ("lavka.coap.discover.filter", "")];
    let source = Source::observe(&uri, resources, &poll).await;
    let payloads = source
        .wait_for("last state", |payloads| payloads.iter().any(|payload| payload == &vec![b'a' + 20; 3000]))
        .await;
    let states: Vec<u8> =
        payloads.iter().filter(|payload| payload.len() == 3000).map(|payload| payload[0]).collect();
    for payload in payloads.iter().filter(|payload| payload.len() == 3000) {
        assert!(payload.iter().all(|byte| *byte == payload[0]), "a mixture of two states");
    }
    assert!(states.is_sorted(), "{states:?}");
    // What the directory names and cannot be observed is polled.
    source
        .wait_for("polls", |payloads| payloads.iter().filter(|payload| *payload == b"plain").count() >= 2)
        .await;
    // Another run goes on behind the last state: it is known by its ETag, and makes no record again.
    let is_counter = |key: &str| key.ends_with("/counter");
    let last = source
        .handed_out()
        .into_iter()
        .rev()
        .find(|handed| handed.record.key.value.as_str().is_some_and(is_counter));
    let position = last.unwrap().position.unwrap();
    drop(source);
    let again =
        Source::observe_behind(&uri, "counter,plain", &poll, vec![(position.partition, position.offset)])
            .await;
    again.wait_for("polls", |payloads| payloads.len() >= 3).await;
    for handed in again.handed_out() {
        let key = handed.record.key.value.as_str().unwrap_or_default();
        // The server may notify of the same state, which is its own affair.
        let notification = handed.record.headers.last("coap.notification").unwrap();
        assert!(key.ends_with("/plain") || notification.value == true.into(), "{handed:?}");
    }
    drop(again);
    let asker = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    while !serving.is_finished() {
        // CON GET /test/end. The server may be gone already.
        let _ = asker.send_to(b"\x40\x01\x00\x01\xb4test\x03end", ("127.0.0.1", port)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_is_answered() {
    let Some(python) = python("a_client_is_answered").await else { return };
    let source = Source::start("readings/{device}", Duration::from_millis(700)).await;
    let folder = temp_dir();
    write_file(folder.path(), "client.py", CLIENT.as_bytes());
    let uri = format!("coap://127.0.0.1:{}/readings/d1", source.port);
    let path = folder.path().to_owned();
    let running = tokio::task::spawn_blocking(move || python.run(&path, &["client.py", &uri], LIMIT));
    let printed = running.await.unwrap().unwrap();
    assert_eq!(printed.matches("2.04").count(), 3, "{printed}");
    assert_eq!(source.payloads(), [b"1".to_vec(), b"2".to_vec(), vec![b'x'; 4000]]);
}
