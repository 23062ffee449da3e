//! libcoap's `coap-client`.

use std::process::{Command, Stdio};
use std::time::Duration;

use lavka_testkit::{cannot_run, temp_dir, write_file};
use tokio::task::spawn_blocking;

use crate::source::Source;

const CLIENT: &str = "coap-client-notls";

/// What the client prints when it runs with `arguments` and the URI of `path`; `None` where there is no client.
async fn client(test: &str, source: &Source, path: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(CLIENT);
    // It gives up after 20 seconds.
    command.args(["-v", "7", "-B", "20"]).args(arguments).stdin(Stdio::null());
    command.arg(format!("coap://127.0.0.1:{}/{path}", source.port));
    match spawn_blocking(move || command.output()).await.unwrap() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some(String::from_utf8_lossy(&text).into_owned())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            cannot_run(test, "libcoap's coap-client (Debian: libcoap3-bin)");
            None
        }
        Err(error) => panic!("{CLIENT}: {error}"),
    }
}

/// How often `what` stands in `text`.
fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[tokio::test]
async fn a_reading_and_its_answer() {
    let source = Source::start("sensors/{device}/temp", Duration::ZERO).await;
    for (kind, arguments) in
        [("ACK", &["-m", "post", "-e", "21.5"][..]), ("NON", &["-N", "-m", "put", "-e", "22"])]
    {
        let test = "a_reading_and_its_answer";
        let Some(printed) = client(test, &source, "sensors/d1/temp", arguments).await else { return };
        assert!(printed.contains(&format!("t:{kind} c:2.04")), "{printed}");
    }
    assert_eq!(source.payloads(), [b"21.5".to_vec(), b"22".to_vec()]);
}

#[tokio::test]
async fn a_slow_kafka_makes_an_answer_of_its_own() {
    let source = Source::start("readings", Duration::from_secs(3)).await;
    let test = "a_slow_kafka_makes_an_answer_of_its_own";
    let Some(printed) = client(test, &source, "readings", &["-m", "post", "-e", "x"]).await else { return };
    assert!(printed.contains("t:ACK c:0.00") && printed.contains("t:CON c:2.04"), "{printed}");
    // The empty acknowledgement kept the client from sending it again.
    assert_eq!((source.payloads().len(), count(&printed, "c:POST")), (1, 1), "{printed}");
}

#[tokio::test]
async fn a_lossy_network_makes_no_second_record() {
    let source = Source::start("readings", Duration::from_millis(50)).await;
    let test = "a_lossy_network_makes_no_second_record";
    // The client's first datagrams are lost, its acknowledgements among them.
    let arguments = ["-l", "1", "-m", "post", "-e", "x"];
    let Some(printed) = client(test, &source, "readings", &arguments).await else { return };
    assert!(printed.contains("c:2.04"), "{printed}");
    assert_eq!(source.payloads().len(), 1);
}

#[tokio::test]
async fn a_payload_in_blocks() {
    let source = Source::start("images/{camera}", Duration::ZERO).await;
    let folder = temp_dir();
    let payload: Vec<u8> = (0..20_000u32).map(|byte| (byte % 251) as u8).collect();
    let file = write_file(folder.path(), "image", &payload);
    for size in ["1024", "64"] {
        let arguments = ["-m", "put", "-b", size, "-f", file.to_str().unwrap()];
        let Some(printed) = client("a_payload_in_blocks", &source, "images/c1", &arguments).await else {
            return;
        };
        assert!(printed.contains("c:2.31") && printed.contains("c:2.04"), "{printed}");
    }
    assert!(source.payloads() == [payload.clone(), payload]);
}

#[tokio::test]
async fn the_directory_and_what_is_refused() {
    let patterns: Vec<String> = (0..60).map(|number| format!("resources/number-{number}")).collect();
    let source = Source::start(&patterns.join(","), Duration::ZERO).await;
    let test = "the_directory_and_what_is_refused";
    let folder = temp_dir();
    let file = folder.path().join("core");
    let arguments = ["-o", file.to_str().unwrap()];
    let Some(printed) = client(test, &source, ".well-known/core", &arguments).await else { return };
    let links: Vec<String> = patterns.iter().map(|path| format!("</{path}>;rt=\"lavka.ingest\"")).collect();
    assert_eq!(std::fs::read_to_string(file).expect(&printed), links.join(","));
    let printed = client(test, &source, "elsewhere", &["-m", "post", "-e", "x"]).await.unwrap();
    assert!(printed.contains("c:4.04"), "{printed}");
    let printed = client(test, &source, "resources/number-1", &[]).await.unwrap();
    assert!(printed.contains("c:4.05"), "{printed}");
}
