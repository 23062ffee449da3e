use std::process::{Child, Command, Stdio};

use lavka_testkit::{
    Aedes, Authority, Mosquitto, MosquittoConfig, MosquittoTls, Unavailable, eventually, services, unique,
};

use crate::LONG;

/// `mosquitto_sub`, told to end after `count` messages.
fn subscribe(port: u16, count: usize, args: &[&str]) -> Child {
    Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-C", &count.to_string()])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn publish(port: u16, args: &[&str]) -> bool {
    let output = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(args)
        .output()
        .unwrap();
    output.status.success()
}

fn printed(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The retained message of a topic reaches whoever subscribes later, so nobody has to wait for the other.
#[test]
fn a_message_passes_through_the_shared_broker() {
    let broker = &services().mosquitto;
    let topic = unique("site");
    assert!(publish(broker.port(), &["-t", &topic, "-m", "21.5", "-q", "1", "-r"]));
    assert_eq!(printed(subscribe(broker.port(), 1, &["-t", &topic, "-q", "1"])), "21.5\n");
    assert_eq!(broker.url(), format!("tcp://{}:{}", broker.host(), broker.port()));
}

#[test]
fn a_persistent_session_survives_an_orderly_restart_with_more_than_the_default_queue() {
    let config = MosquittoConfig { persistence: true, max_inflight: Some(5), ..MosquittoConfig::default() };
    let mut broker = Mosquitto::start(&config).unwrap();
    let port = broker.port();
    let session = ["-c", "-i", "reader", "-q", "1", "-t", "a/b"];
    // -E ends after the subscription is acknowledged.
    assert_eq!(printed(subscribe(port, 1, &[&session[..], &["-E"]].concat())), "");
    // Mosquitto's own limit on a queue is 1000 messages.
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", "a/b", "-q", "1", "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = (0..1500).map(|n| format!("{n}\n")).collect();
    std::io::Write::write_all(&mut publisher.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    assert!(publisher.wait().unwrap().success());

    broker.restart().unwrap();
    assert_eq!(broker.port(), port);
    assert_eq!(printed(subscribe(port, 1500, &session)), lines);
}

#[test]
fn a_killed_broker_is_gone_and_comes_back_on_its_port() {
    let mut broker = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let port = broker.port();
    broker.kill();
    assert!(!publish(port, &["-t", "a", "-m", "1"]));
    broker.restart().unwrap();
    assert!(publish(port, &["-t", "a", "-m", "1"]));
    eventually("the log to tell of it", LONG, || broker.log().contains("Received PUBLISH").then_some(()));
}

#[test]
fn users_and_tls_are_asked_for() {
    let servers = Authority::new("servers");
    let clients = Authority::new("clients");
    let server = servers.server();
    let config = MosquittoConfig {
        users: vec![("ada".to_owned(), "secret".to_owned())],
        tls: Some(MosquittoTls {
            certificate: server.certificate,
            key: server.key,
            client_authority: Some(clients.certificate().to_owned()),
        }),
        ..MosquittoConfig::default()
    };
    let broker = Mosquitto::start(&config).unwrap();
    let folder = lavka_testkit::temp_dir();
    let file = |name: &str, text: &str| {
        lavka_testkit::write_file(folder.path(), name, text).to_str().unwrap().to_owned()
    };
    let client = clients.client("ada");
    let (trusted, cert, key) = (
        file("ca.pem", servers.certificate()),
        file("client.pem", &client.certificate),
        file("client.key", &client.key),
    );
    let message = ["-t", "a", "-m", "1", "-q", "1"];
    let tls = ["--cafile", &trusted, "--cert", &cert, "--key", &key];
    let user = ["-u", "ada", "-P", "secret"];
    let wrong = ["-u", "ada", "-P", "guess"];
    let attempt = |parts: &[&[&str]]| publish(broker.port(), &parts.concat());
    assert!(attempt(&[&message, &tls, &user]));
    assert!(!attempt(&[&message, &tls, &wrong]), "a wrong password");
    assert!(!attempt(&[&message, &tls]), "no user");
    assert!(!attempt(&[&message, &["--cafile", &trusted], &user]), "no client certificate");
    assert!(!attempt(&[&message, &user]), "no TLS");
}

#[test]
fn a_broker_that_is_stopped_as_soon_as_it_is_there_ends() {
    for _ in 0..20 {
        Mosquitto::start(&MosquittoConfig::default()).unwrap().stop();
    }
}

#[test]
fn a_retained_message_passes_through_aedes() {
    let broker = match Aedes::start() {
        Ok(broker) => broker,
        Err(Unavailable::Unresolvable(_)) => {
            return lavka_testkit::cannot_run("a_retained_message_passes_through_aedes", "Aedes from npm");
        }
        Err(Unavailable::Broken(failure)) => panic!("{failure}"),
    };
    assert!(publish(broker.port(), &["-t", "a", "-m", "21.5", "-q", "1", "-r"]));
    assert_eq!(printed(subscribe(broker.port(), 1, &["-t", "a", "-q", "1"])), "21.5\n");
}
