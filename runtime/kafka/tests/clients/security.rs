//! Passwords and certificates.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use lavka_api::ErrorClass;
use lavka_api::config::Config;
use lavka_kafka::RdKafkaCluster;
use lavka_ports::{Cluster, ConsumerEvent, Subscription};
use lavka_testkit::{Authority, JarSet, Jars, KafkaServer, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

fn plain(bootstrap: &str, password: &str) -> Config {
    let jaas = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" password=\"{password}\";"
    );
    config(
        bootstrap,
        &[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.jaas.config", &jaas),
            ("group.id", "g"),
            ("auto.offset.reset", "earliest"),
            ("default.api.timeout.ms", "30000"),
        ],
    )
}

const BEARER: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";

/// Two more listeners: one asks for a password, the other for a certificate and a password.
struct Doors {
    server: KafkaServer,
    sasl: String,
    tls: String,
}

impl Doors {
    fn open(authority: &Authority) -> Self {
        let mut server = KafkaServer::start().unwrap();
        let folder = server.log_path().parent().unwrap().to_owned();
        let identity = authority.server();
        std::fs::write(folder.join("server.pem"), format!("{}{}", identity.key, identity.certificate))
            .unwrap();
        std::fs::write(folder.join("ca.pem"), authority.certificate()).unwrap();
        let sasl = format!("127.0.0.1:{}", free_port());
        let tls = format!("127.0.0.1:{}", free_port());
        let file = folder.join("server.properties");
        let mut text = std::fs::read_to_string(&file).unwrap();
        let setting = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap().to_owned()
        };
        let (listeners, advertised) = (setting("listeners"), setting("advertised.listeners"));
        // The properties file takes one of two backslashes away.
        let plain = r#"org.apache.kafka.common.security.plain.PlainLoginModule required user_admin="a" user_alice="wonder, land=\\"1\\"";"#;
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let bearer = format!(
            "{BEARER} unsecuredLoginStringClaim_sub=\"broker\" unsecuredValidatorRequiredScope=\"kafka\";"
        );
        text.push_str(&format!(
            "\nlisteners={listeners},SASL://{sasl},TLS://{tls}\n\
             advertised.listeners={advertised},SASL://{sasl},TLS://{tls}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL\n\
             sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,OAUTHBEARER\n\
             listener.name.sasl.oauthbearer.sasl.jaas.config={bearer}\n\
             listener.name.tls.oauthbearer.sasl.jaas.config={bearer}\n\
             listener.name.sasl.oauthbearer.connections.max.reauth.ms=60000\n\
             listener.name.sasl.plain.sasl.jaas.config={plain}\n\
             listener.name.sasl.scram-sha-256.sasl.jaas.config={scram}\n\
             listener.name.tls.plain.sasl.jaas.config={plain}\n\
             listener.name.tls.scram-sha-256.sasl.jaas.config={scram}\n\
             listener.name.tls.ssl.keystore.type=PEM\n\
             listener.name.tls.ssl.keystore.location={folder}/server.pem\n\
             listener.name.tls.ssl.truststore.type=PEM\n\
             listener.name.tls.ssl.truststore.location={folder}/ca.pem\n\
             listener.name.tls.ssl.client.auth=required\n",
            folder = folder.display(),
        ));
        std::fs::write(&file, text).unwrap();
        server.restart().unwrap();
        Self { server, sasl, tls }
    }
}

/// Gives a user a password for SCRAM, by Kafka's own tool.
fn add_scram_user(bootstrap: &str, name: &str, password: &str) {
    let jars = Jars::resolve(JarSet::Server).unwrap();
    let output = Command::new("java")
        .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", &jars.class_path(), "kafka.admin.ConfigCommand"])
        .args(["--bootstrap-server", bootstrap, "--alter", "--entity-type", "users", "--entity-name", name])
        .args(["--add-config", &format!("SCRAM-SHA-256=[password={password}]")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

async fn goes_round(config: &Config, topic: &str) {
    let mut config = config.clone();
    config.set("group.id", topic);
    let config = &config;
    let cluster = RdKafkaCluster::new();
    let admin = cluster.admin(config).unwrap();
    assert_eq!(admin.cluster().await.unwrap().id.len(), 22);
    let producer = cluster.producer(config).unwrap();
    let topic = lavka_api::data::Topic::from(topic);
    producer.send(record(&topic, 0, b"0", 0)).unwrap();
    let mut acks = Vec::new();
    collect(&*producer, &mut acks, 1).await;
    assert!(acks[0].outcome.is_ok(), "{acks:?}");
    let mut consumer = cluster.consumer(config, BUFFER).unwrap();
    consumer.subscribe(&Subscription::Topics(vec![topic.to_string()])).await.unwrap();
    assigned(&mut *consumer).await;
    assert_eq!(read(&mut *consumer, 1).await.len(), 1);
    consumer.commit(&BTreeMap::from([(place(&topic, 0), 1)])).await.unwrap();
    consumer.close().await;
    assert_eq!(admin.group_offsets(&topic).await.unwrap(), BTreeMap::from([(place(&topic, 0), 1)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_opens_all_clients_and_a_wrong_one_none() {
    const NAME: &str = "a_password_opens_all_clients_and_a_wrong_one_none";
    if !tokio::task::block_in_place(|| lavka_testkit::services().kafka.is_real_for(NAME)) {
        return;
    }
    let authority = Authority::new("kafka");
    let doors = tokio::task::block_in_place(|| Doors::open(&authority));
    let cluster = RdKafkaCluster::new();
    let right = plain(&doors.sasl, r#"wonder, land=\"1\""#);
    goes_round(&right, "by-plain").await;

    let mut encrypted = plain(&doors.tls, r#"wonder, land=\"1\""#);
    let client = authority.client("lavka");
    for (key, value) in [
        ("security.protocol", "SASL_SSL"),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", &authority.certificate().replace('\n', " ")),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.certificate.chain", &client.certificate.replace('\n', " ")),
        ("ssl.keystore.key", &client.key),
    ] {
        encrypted.set(key, value);
    }
    goes_round(&encrypted, "by-tls").await;

    let wrong = plain(&doors.sasl, "hunter2");
    let error = cluster.admin(&wrong).unwrap().cluster().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.SaslAuthenticationException");
    assert!(error.to_string().contains("Invalid username or password"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let mut consumer = cluster.consumer(&wrong, BUFFER).unwrap();
    consumer.subscribe(&Subscription::Topics(vec!["by-plain".into()])).await.unwrap();
    let error = loop {
        match consumer.next(1, PATIENCE).await {
            Ok(ConsumerEvent::Idle) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.SaslAuthenticationException");
    consumer.close().await;

    tokio::task::block_in_place(|| add_scram_user(&doors.server.bootstrap(), "bob", "pencil"));
    let mut scram = plain(&doors.sasl, "x");
    let module = "org.apache.kafka.common.security.scram.ScramLoginModule required username=bob";
    scram.set("sasl.mechanism", "SCRAM-SHA-256");
    scram.set("sasl.jaas.config", format!("{module} password=pencil;"));
    goes_round(&scram, "by-scram").await;
    scram.set("sasl.jaas.config", format!("{module} password=crayon;"));
    let error = cluster.admin(&scram).unwrap().cluster().await.unwrap_err();
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.SaslAuthenticationException");
    scram.set("sasl.mechanism", "SCRAM-SHA-512");
    let error = cluster.admin(&scram).unwrap().cluster().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Client SASL mechanism 'SCRAM-SHA-512' not enabled in the server, enabled mechanisms are [PLAIN, SCRAM-SHA-256, \
         OAUTHBEARER]"
    );
}

/// The embedded broker behind a door that speaks TLS.
async fn encrypted(broker: &lavka_devbroker::Broker, authority: &Authority, host: &str) -> String {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let identity = authority.server();
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let behind = broker.addr();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outer = acceptor.accept(stream).await?;
                let mut inner = TcpStream::connect(behind).await?;
                tokio::io::copy_bidirectional(&mut outer, &mut inner).await
            });
        }
    });
    address.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_checked_on_both_sides() {
    let broker = lavka_devbroker::Broker::start(broker()).await.unwrap();
    let authority = Authority::new("kafka");
    let named = encrypted(&broker, &authority, "127.0.0.1").await;
    // The certificate is not made out to this address.
    let unnamed = encrypted(&broker, &authority, "127.0.0.2").await;
    let client = authority.client("lavka");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}{}", client.key, client.certificate)).unwrap();
    let ask = |address: &str, entries: Vec<(&'static str, String)>| {
        let mut config = config(address, &[("security.protocol", "SSL")]);
        config.set("default.api.timeout.ms", "10000");
        for (key, value) in entries {
            config.set(key, value);
        }
        async move { RdKafkaCluster::new().admin(&config).unwrap().cluster().await }
    };
    let trust = |authority: &Authority| {
        let one_line = authority.certificate().replace('\n', " ");
        vec![("ssl.truststore.type", "PEM".to_owned()), ("ssl.truststore.certificates", one_line)]
    };
    let identity = || {
        vec![
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.location", file.path().display().to_string()),
        ]
    };
    let info = ask(&named, [trust(&authority), identity()].concat()).await.unwrap();
    assert_eq!(info.id, broker.cluster_id());

    let stranger = Authority::new("stranger");
    let error = ask(&named, [trust(&stranger), identity()].concat()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.SslAuthenticationException");
    // Without a certificate of ours the server hangs up, which with TLS 1.3 shows when it is asked something.
    assert!(ask(&named, trust(&authority)).await.is_err());
    let error = ask(&unnamed, [trust(&authority), identity()].concat()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal, "{error}");
    let any_host = vec![("ssl.endpoint.identification.algorithm", String::new())];
    let error = ask(&unnamed, [trust(&stranger), identity(), any_host.clone()].concat()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal, "{error}");
    let info = ask(&unnamed, [trust(&authority), identity(), any_host].concat()).await;
    assert_eq!(info.unwrap().id, broker.cluster_id());

    let missing =
        vec![("ssl.truststore.type", "PEM".to_owned()), ("ssl.truststore.location", "/no/ca.pem".into())];
    let error = ask(&named, missing).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Config);
    assert!(error.to_string().starts_with("ssl.truststore.location: cannot read /no/ca.pem: "), "{error}");
}

/// A token endpoint that gives unsecured tokens with a life of five seconds, and how often it did.
async fn token_endpoint(scope: &'static str) -> (String, Arc<AtomicUsize>) {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("grant_type=client_credentials") {
                if stream.read_buf(&mut request).await.unwrap() == 0 {
                    break;
                }
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let payload = format!(r#"{{"sub":"svc","scope":["{scope}"],"iat":{now},"exp":{}}}"#, now + 5);
            let parts = [r#"{"alg":"none"}"#, payload.as_str()].map(|part| URL_SAFE_NO_PAD.encode(part));
            let body = format!(r#"{{"access_token":"{}.","expires_in":5}}"#, parts.join("."));
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_open_all_clients_and_are_renewed() {
    const NAME: &str = "tokens_open_all_clients_and_are_renewed";
    if !tokio::task::block_in_place(|| lavka_testkit::services().kafka.is_real_for(NAME)) {
        return;
    }
    let authority = Authority::new("kafka");
    let doors = tokio::task::block_in_place(|| Doors::open(&authority));
    let mut unsecured = plain(&doors.sasl, "x");
    unsecured.set("sasl.mechanism", "OAUTHBEARER");
    let jaas = |scope: &str| {
        let sub = "unsecuredLoginStringClaim_sub=\"alice\"";
        format!("{BEARER} {sub} unsecuredLoginListClaim_scope=\",{scope}\";")
    };
    unsecured.set("sasl.jaas.config", jaas("other,kafka"));
    goes_round(&unsecured, "by-unsecured-token").await;

    let (url, count) = token_endpoint("kafka").await;
    let mut fetched = unsecured.clone();
    fetched.set("sasl.oauthbearer.token.endpoint.url", url);
    fetched.set("sasl.jaas.config", format!("{BEARER} clientId=\"me\" clientSecret=\"hunter2\";"));
    goes_round(&fetched, "by-fetched-token").await;
    // A producer outlives its tokens.
    let before = count.load(Ordering::SeqCst);
    let began = std::time::Instant::now();
    let producer = RdKafkaCluster::new().producer(&fetched).unwrap();
    let topic = lavka_api::data::Topic::from("by-fetched-token");
    let mut acks = Vec::new();
    for number in 0..10 {
        producer.send(record(&topic, 0, b"x", number)).unwrap();
        collect(&*producer, &mut acks, number + 1).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!(acks.iter().all(|ack| ack.outcome.is_ok()), "{acks:?}");
    let asked = count.load(Ordering::SeqCst) - before;
    // One every four seconds, for as long as that took.
    let most = 3 + usize::try_from(began.elapsed().as_secs()).unwrap() / 3;
    assert!((2..=most).contains(&asked), "{asked} of at most {most}");

    let cluster = RdKafkaCluster::new();
    unsecured.set("sasl.jaas.config", jaas("other"));
    let error = cluster.admin(&unsecured).unwrap().cluster().await.unwrap_err();
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.SaslAuthenticationException", "{error}");
    assert!(error.to_string().contains("scope"), "{error}");
    let mut consumer = cluster.consumer(&unsecured, BUFFER).unwrap();
    consumer.subscribe(&Subscription::Topics(vec!["by-fetched-token".into()])).await.unwrap();
    let error = loop {
        match consumer.next(1, PATIENCE).await {
            Ok(ConsumerEvent::Idle) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.SaslAuthenticationException");
    consumer.close().await;
}
