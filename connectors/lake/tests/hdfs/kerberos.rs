//! A cluster that asks for Kerberos tickets and encrypts what it says: by keytab, by ticket cache, by delegation token, and
//! what is said where none of them will do.
//!
//! What Kerberos' library looks at is the environment, so whoever writes is a copy of this binary with one of its own.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_connector_lake::store::{HdfsSettings, HdfsStore, Kerberos, LakeStore as _};
use lavka_testkit::{HdfsServer, Kdc, TempDir, Unavailable, eventually, had, temp_dir, unique};

use crate::support::{Rig, assert_complete, copy_of, given_config, runtime};

const PATIENCE: Duration = Duration::from_secs(120);
/// Where a writer leaves what became of it, and how it and its test wait for each other.
const FOLDER: &str = "LAVKA_TEST_KERBEROS_FOLDER";
/// How long the tickets last that run out.
const LIFETIME: Duration = Duration::from_secs(4);
/// Whether the writer has a pause in the middle.
const PAUSES: &str = "LAVKA_TEST_KERBEROS_PAUSES";

/// One Kerberos server for all tests.
fn kdc(test: &str) -> Option<&'static Kdc> {
    static KDC: OnceLock<Result<Kdc, Unavailable>> = OnceLock::new();
    found(KDC.get_or_init(Kdc::start), test)
}

/// One cluster for all tests that leave it alone.
fn cluster(test: &str) -> Option<&'static HdfsServer> {
    static CLUSTER: OnceLock<Result<HdfsServer, Unavailable>> = OnceLock::new();
    let kdc = kdc(test)?;
    found(CLUSTER.get_or_init(|| HdfsServer::start_with_kerberos(kdc, "privacy")), test)
}

fn found<T>(outcome: &'static Result<T, Unavailable>, test: &str) -> Option<&'static T> {
    had(outcome.as_ref(), test, "HDFS with Kerberos")
}

/// The Java sink's configuration for a directory of one's own, with `keys` that say who asks.
fn config(cluster: &HdfsServer, root: &str, keys: &[(&str, &str)]) -> Config {
    let mut config = crate::config(&cluster.url(), root);
    config.set("hadoop.conf.dir", cluster.conf_dir().display().to_string());
    config.set("hdfs.authentication.kerberos", "true");
    for (key, value) in keys {
        config.set(*key, *value);
    }
    config
}

fn by_keytab(cluster: &HdfsServer, root: &str, kdc: &Kdc) -> Config {
    let keytab = kdc.keytab().display().to_string();
    let principal = ("connect.hdfs.principal", Kdc::CLIENT);
    config(cluster, root, &[principal, ("connect.hdfs.keytab", &keytab)])
}

/// The store that `config` leads to.
fn store(config: &Config) -> HdfsStore {
    let text = |key: &str| config.get(key).map(str::to_owned);
    let (cluster, root) = config.get("hdfs.url").unwrap().rsplit_once('/').unwrap();
    let asked = config.get("hdfs.authentication.kerberos") == Some("true");
    HdfsStore::new(HdfsSettings {
        cluster: cluster.to_owned(),
        root: format!("/{root}"),
        key: "hdfs.url",
        conf_dir: text("hadoop.conf.dir"),
        kerberos: asked.then(|| Kerberos {
            principal: text("connect.hdfs.principal"),
            keytab: text("connect.hdfs.keytab"),
            namenode_principal: None,
        }),
    })
}

/// A process that writes a hundred records.
struct Writer {
    process: Child,
    folder: TempDir,
}

impl Writer {
    /// With the configuration file of Kerberos' library, and more of the environment.
    fn start(config: &Config, krb5: &Path, environment: &[(&str, &Path)]) -> Self {
        let folder = temp_dir();
        let mut command = copy_of("kerberos::writer", config);
        command
            .env("KRB5_CONFIG", krb5)
            // Nobody's tickets, unless they are given.
            .env("KRB5CCNAME", folder.path().join("no-tickets"))
            .env(FOLDER, folder.path());
        command.envs(environment.iter().copied());
        Self { process: command.spawn().unwrap(), folder }
    }

    /// What became of it: empty where all went well, else the class of the error and its text.
    fn outcome(mut self) -> String {
        assert!(self.process.wait().unwrap().success());
        std::fs::read_to_string(self.folder.path().join("outcome")).unwrap()
    }
}

/// What a copy of this binary does, which was started by [`Writer::start`]; nothing, where it was not.
#[test]
fn writer() {
    let (Some(config), Some(folder)) = (given_config(), std::env::var_os(FOLDER)) else { return };
    let folder = PathBuf::from(folder);
    let outcome = runtime().block_on(async {
        let store = store(&config);
        store.prepare().await?;
        let mut rig = Rig::open(&config).await?;
        rig.put(33).await?;
        if std::env::var_os(PAUSES).is_some() {
            std::fs::write(folder.join("half"), "").unwrap();
            while !folder.join("go on").exists() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            rig.put_at_last(7, 200).await;
        }
        while rig.position < 100 {
            rig.put(10).await?;
        }
        assert_eq!(rig.durable().await, Some(100));
        rig.stop().await;
        assert_complete(&store, 100).await;
        Ok::<_, lavka_api::Error>(())
    });
    let text = outcome.map_or_else(|error| format!("{:?}: {error}", error.class()), |()| String::new());
    std::fs::write(folder.join("outcome"), text).unwrap();
}

#[test]
fn a_keytab_opens_a_cluster_that_encrypts_everything() {
    const TEST: &str = "a_keytab_opens_a_cluster_that_encrypts_everything";
    let (Some(kdc), Some(cluster)) = (kdc(TEST), cluster(TEST)) else { return };
    let config = by_keytab(cluster, &unique("keytab"), kdc);
    assert_eq!(Writer::start(&config, &kdc.config(), &[]).outcome(), "");
}

#[test]
fn data_may_be_signed_or_plain_as_well() {
    const TEST: &str = "data_may_be_signed_or_plain_as_well";
    let Some(kdc) = kdc(TEST) else { return };
    std::thread::scope(|scope| {
        for protection in ["integrity", "authentication"] {
            scope.spawn(move || {
                let cluster = HdfsServer::start_with_kerberos(kdc, protection).unwrap();
                let config = by_keytab(&cluster, "lake", kdc);
                assert_eq!(Writer::start(&config, &kdc.config(), &[]).outcome(), "", "{protection}");
            });
        }
    });
}

#[test]
fn a_ticket_cache_or_a_delegation_token_does_as_well() {
    const TEST: &str = "a_ticket_cache_or_a_delegation_token_does_as_well";
    let (Some(kdc), Some(cluster)) = (kdc(TEST), cluster(TEST)) else { return };
    let folder = temp_dir();
    let (cache, token) = (folder.path().join("tickets"), folder.path().join("token"));
    kdc.get_ticket(&cache, Duration::from_secs(3600)).unwrap();
    for keys in [&[][..], &[("connect.hdfs.principal", Kdc::CLIENT)]] {
        let config = config(cluster, &unique("tickets"), keys);
        let tickets = [("KRB5CCNAME", cache.as_path())];
        assert_eq!(Writer::start(&config, &kdc.config(), &tickets).outcome(), "", "{keys:?}");
    }
    cluster.get_token(&cache, &token).unwrap();
    let mut config = config(cluster, &unique("token"), &[]);
    // Tokens are for addresses.
    let url = config.get("hdfs.url").unwrap().replace("localhost", "127.0.0.1");
    config.set("hdfs.url", url);
    let tokens = [("HADOOP_TOKEN_FILE_LOCATION", token.as_path())];
    assert_eq!(Writer::start(&config, &kdc.config(), &tokens).outcome(), "");
}

#[test]
fn a_ticket_that_ran_out_is_got_anew_from_the_keytab() {
    const TEST: &str = "a_ticket_that_ran_out_is_got_anew_from_the_keytab";
    let Some(kdc) = kdc(TEST) else { return };
    let mut cluster = HdfsServer::start_with_kerberos(kdc, "privacy").unwrap();
    let folder = temp_dir();
    let short = folder.path().join("krb5.conf");
    let text = std::fs::read_to_string(kdc.config()).unwrap();
    let lifetime = format!("[libdefaults]\n    ticket_lifetime = {}s\n", LIFETIME.as_secs());
    std::fs::write(&short, text.replace("[libdefaults]\n", &lifetime)).unwrap();
    let config = by_keytab(&cluster, "lake", kdc);
    let writer = Writer::start(&config, &short, &[(PAUSES, Path::new("yes"))]);
    eventually("the first half", PATIENCE, || writer.folder.path().join("half").exists().then_some(()));
    let half = Instant::now();
    // Its connections are new, and need new tickets.
    cluster.restart().unwrap();
    std::thread::sleep(LIFETIME.saturating_sub(half.elapsed()));
    std::fs::write(writer.folder.path().join("go on"), "").unwrap();
    assert_eq!(writer.outcome(), "");
}

#[test]
fn who_has_no_ticket_is_told_what_to_do() {
    const TEST: &str = "who_has_no_ticket_is_told_what_to_do";
    let (Some(kdc), Some(cluster)) = (kdc(TEST), cluster(TEST)) else { return };
    let folder = temp_dir();
    let (cache, nowhere) = (folder.path().join("tickets"), folder.path().join("krb5.conf"));
    kdc.get_ticket(&cache, Duration::from_secs(1)).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let text = std::fs::read_to_string(kdc.config()).unwrap();
    let port = lavka_testkit::free_port();
    let elsewhere = text.lines().map(|line| match line.split_once("kdc = localhost:") {
        Some((before, _)) => format!("{before}kdc = localhost:{port}\n"),
        None => format!("{line}\n"),
    });
    std::fs::write(&nowhere, elsewhere.collect::<String>()).unwrap();

    let keytab = kdc.keytab().display().to_string();
    let told = |krb5: &Path, environment: &[(&str, &Path)], keys: &[(&str, &str)]| {
        let config = config(cluster, &unique("refused"), keys);
        Writer::start(&config, krb5, environment)
    };
    let mine = ("connect.hdfs.principal", Kdc::CLIENT);
    let with_keytab = [mine, ("connect.hdfs.keytab", keytab.as_str())];
    let away = ("hadoop.conf.dir", "/nowhere");
    // Some of them wait for answers that do not come: all at once.
    let refused: [(&str, Writer, &[&str]); 8] = [
        ("no ticket", told(&kdc.config(), &[], &[]), &["Fatal", "No Kerberos credentials", "kinit"]),
        ("no ticket of his", told(&kdc.config(), &[], &[mine]), &["Fatal", Kdc::CLIENT, "kinit"]),
        (
            "one that ran out",
            told(&kdc.config(), &[("KRB5CCNAME", &cache)], &[]),
            &["Retriable", "Ticket expired", "kinit", "connect.hdfs.keytab"],
        ),
        (
            "no keytab",
            told(&kdc.config(), &[], &[mine, ("connect.hdfs.keytab", "/nowhere/keytab")]),
            &["Fatal", "connect.hdfs.keytab: cannot read /nowhere/keytab: No such file"],
        ),
        (
            "the keytab of another",
            told(&kdc.config(), &[], &[("connect.hdfs.principal", "other@EXAMPLE.COM"), with_keytab[1]]),
            &["Fatal", "klist -k", "connect.hdfs.principal"],
        ),
        (
            "no Kerberos server",
            told(&nowhere, &[], &with_keytab),
            &["Retriable", "Cannot contact any KDC", "krb5.conf", "tried again"],
        ),
        (
            "no Kerberos in the configuration",
            told(&kdc.config(), &[], &[("hdfs.authentication.kerberos", "false"), away]),
            &["Retriable", "hdfs.authentication.kerberos"],
        ),
        (
            "no protection in the configuration",
            told(&kdc.config(), &[], &[with_keytab[0], with_keytab[1], away]),
            &["Retriable", "dfs.data.transfer.protection", "hadoop.conf.dir"],
        ),
    ];
    for (case, writer, words) in refused {
        let said = writer.outcome();
        for word in words {
            assert!(said.contains(word), "{case}: {word} is not in {said}");
        }
    }
}
