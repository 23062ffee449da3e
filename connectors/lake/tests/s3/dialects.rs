//! What the configurations of Confluent's and Aiven's sinks do with a real server of S3.

use std::io::Read as _;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_connector_lake::store::LakeStore;
use lavka_testkit::{Python, S3Server, count, temp_dir};

use crate::bucket::{PART, bucket, store};
use crate::support::{Rig, kill_writers, names_below, runtime};
use crate::{server, values};

/// Tags and grants of all objects below `topics/t`, in order of their names, as Amazon's own client sees them.
const LOOK: &str = "\
import boto3, sys
url, key, secret, bucket = sys.argv[1:]
s3 = boto3.client('s3', endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, region_name='us-west-2')
for entry in s3.list_objects_v2(Bucket=bucket, Prefix='topics/t/')['Contents']:
    tags = s3.get_object_tagging(Bucket=bucket, Key=entry['Key'])['TagSet']
    grants = s3.get_object_acl(Bucket=bucket, Key=entry['Key'])['Grants']
    everybody = [grant['Permission'] for grant in grants if grant['Grantee'].get('URI', '').endswith('AllUsers')]
    text = ' '.join(sorted(tag['Key'] + '=' + tag['Value'] for tag in tags))
    print(entry['Key'].rsplit('/')[-1], text, everybody, entry['Size'] > 5 * 1024 * 1024)
";

fn look(server: &S3Server, bucket: &str) -> Vec<String> {
    let args = ["-c", LOOK, &server.url(), S3Server::KEY_ID, S3Server::SECRET, bucket];
    let printed = Python::for_lake().unwrap().run(temp_dir().path(), &args, Duration::from_secs(60)).unwrap();
    printed.lines().map(str::to_owned).collect()
}

fn confluent(server: &S3Server, bucket: &str) -> Config {
    let mut config = super::config(server, bucket);
    config.set("connector.class", "io.confluent.connect.s3.S3SinkConnector");
    config.set("format.class", "io.confluent.connect.s3.format.json.JsonFormat");
    config
}

/// Small objects are copied within the store and large ones uploaded in parts: either gets them.
#[test]
fn objects_get_their_tags_and_the_canned_acl() {
    let Some(server) = server("objects_get_their_tags_and_the_canned_acl") else { return };
    let bucket = bucket(server, "lake");
    let mut config = confluent(server, &bucket);
    config.set("s3.object.tagging", "true");
    config.set("s3.object.tagging.key.value.pairs", "team:north west,plant:1/2");
    config.set("s3.object.behavior.on.tagging.error", "fail");
    config.set("s3.acl.canned", "public-read");
    runtime().block_on(async {
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(40).await.unwrap();
        rig.stop().await;
        config.set("flush.size", "60000");
        config.set("s3.part.size", PART.to_string());
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(60_000).await.unwrap();
        rig.put(1).await.unwrap();
        rig.stop().await;
    });
    let tags = |start: i64, end: i64| {
        let count = end - start + 1;
        format!("endOffset={end} plant=1/2 recordCount={count} startOffset={start} team=north west ['READ']")
    };
    assert_eq!(
        look(server, &bucket),
        [
            format!("t+0+0000000000.json {} False", tags(0, 19)),
            format!("t+0+0000000020.json {} False", tags(20, 39)),
            format!("t+0+0000000040.json {} True", tags(40, 60_039)),
        ]
    );
}

#[test]
fn what_cannot_be_tagged_fails_or_is_warned_of() {
    let Some(server) = server("what_cannot_be_tagged_fails_or_is_warned_of") else { return };
    runtime().block_on(async {
        for (behavior, is_fine) in [("ignore", true), ("fail", false)] {
            let bucket = bucket(server, "lake");
            let mut config = confluent(server, &bucket);
            config.set("s3.object.tagging", "true");
            config.set("s3.object.behavior.on.tagging.error", behavior);
            // S3 takes names of 128 characters.
            config.set("s3.object.tagging.key.value.pairs", format!("{}:x", "n".repeat(200)));
            let mut rig = Rig::open(&config).await.unwrap();
            let outcome = rig.put(40).await;
            assert_eq!(outcome.is_ok(), is_fine, "{behavior}: {outcome:?}");
            if let Err(error) = outcome {
                assert!(error.to_string().contains("s3.object.tagging"), "{error}");
                assert!(!error.to_string().contains("Signature"), "{error}");
            }
            rig.stop().await;
            let files = names_below(&store(server, &bucket), "topics/t").await;
            assert!(!files.is_empty(), "{behavior}: the objects are there all the same");
        }
    });
}

pub(crate) const AIVEN: &str = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";

pub(crate) fn aiven(server: &S3Server, bucket: &str) -> Config {
    Config::from([
        ("connector.class", AIVEN),
        ("aws.s3.bucket.name", bucket),
        ("aws.s3.endpoint", server.url().as_str()),
        ("aws.s3.region", "us-west-2"),
        ("aws.access.key.id", S3Server::KEY_ID),
        ("aws.secret.access.key", S3Server::SECRET),
        ("file.name.template", "data/{{topic}}-{{partition}}-{{start_offset:padding=true}}.gz"),
        ("file.compression.type", "gzip"),
        ("format.output.type", "jsonl"),
        ("format.output.envelope", "false"),
    ])
}

pub(crate) fn unpacked(bytes: Vec<u8>) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}

async fn offsets(store: &dyn LakeStore) -> Vec<i64> {
    values(store, "data", unpacked)
        .await
        .iter()
        .map(|value| value.get("offset").unwrap().as_i64().unwrap())
        .collect()
}

#[test]
fn aivens_sink_writes_an_object_for_each_commit_of_offsets() {
    let Some(server) = server("aivens_sink_writes_an_object_for_each_commit_of_offsets") else { return };
    runtime().block_on(async {
        let bucket = bucket(server, "lake");
        let (store, config) = (store(server, &bucket), aiven(server, &bucket));
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(30).await.unwrap();
        assert!(names_below(&store, "data").await.is_empty(), "nothing before a commit");
        assert_eq!(rig.durable().await, Some(30));
        rig.put(5).await.unwrap();
        assert_eq!(rig.durable().await, Some(35));
        rig.put(7).await.unwrap();
        rig.stop().await;
        let names = names_below(&store, "data").await;
        assert_eq!(names, ["data/t-0-00000000000000000000.gz", "data/t-0-00000000000000000030.gz"]);
        // Whoever comes next begins behind the last commit.
        let mut rig = Rig::open(&config).await.unwrap();
        assert_eq!(rig.position, 35);
        rig.put(5).await.unwrap();
        assert_eq!(rig.durable().await, Some(40));
        rig.stop().await;
        assert_eq!(offsets(&store).await, (0..40).collect::<Vec<i64>>());
    });
}

#[test]
fn aivens_sink_loses_and_repeats_nothing_when_it_is_killed() {
    let Some(server) = server("aivens_sink_loses_and_repeats_nothing_when_it_is_killed") else { return };
    let bucket = bucket(server, "lake");
    let mut config = aiven(server, &bucket);
    config.set("file.max.records", "20");
    let store = store(server, &bucket);
    let chance = kill_writers(&config, count(4, 50), 150..1050, &store, "data");
    runtime().block_on(async {
        let mut rig = Rig::open(&config).await.unwrap();
        let reached = rig.position;
        assert!(reached > 0, "something was written before the last kill (seed {})", chance.seed());
        rig.put(20).await.unwrap();
        assert_eq!(rig.durable().await, Some(reached + 20));
        rig.stop().await;
        assert_eq!(offsets(&store).await, (0..reached + 20).collect::<Vec<i64>>(), "seed {}", chance.seed());
        assert_eq!(names_below(&store, ".lavka/+tmp").await, Vec::<String>::new());
        assert_eq!(server.open_uploads(&bucket), 0);
    });
}

/// moto gives every role that is asked for, and tells who a request is from by the key that it has given.
#[test]
fn roles_are_assumed() {
    let Some(server) = server("roles_are_assumed") else { return };
    runtime().block_on(async {
        let bucket = bucket(server, "lake");
        let store = store(server, &bucket);
        let role = "arn:aws:iam::123456789012:role/lake";
        let mut config = aiven(server, &bucket);
        config.set("aws.sts.role.arn", role);
        config.set("aws.sts.role.session.name", "lavka");
        config.set("aws.sts.role.external.id", "agreed");
        config.set("aws.sts.config.endpoint", server.url());
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(5).await.unwrap();
        assert_eq!(rig.durable().await, Some(5));
        rig.stop().await;
        assert_eq!(offsets(&store).await, (0..5).collect::<Vec<i64>>());
        // The other sink's keys for the same, and an ACL with which each request is signed twice.
        let mut config = confluent(server, &bucket);
        let class = "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider";
        for (key, value) in [
            ("s3.credentials.provider.class", class),
            ("s3.credentials.provider.sts.role.arn", role),
            ("s3.credentials.provider.sts.role.session.name", "lavka"),
            ("s3.credentials.provider.sts.region", "eu-west-1"),
            ("lavka.sts.endpoint", server.url().as_str()),
            ("s3.acl.canned", "bucket-owner-full-control"),
        ] {
            config.set(key, value);
        }
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(20).await.unwrap();
        rig.stop().await;
        assert!(!names_below(&store, "topics/t").await.is_empty());
        // Where nobody gives roles, the bucket is not reached, which may pass: the partition waits.
        config.set("lavka.sts.endpoint", "http://127.0.0.1:9");
        let rig = Rig::open(&config).await.unwrap();
        assert!(rig.paused);
        rig.stop().await;
    });
}
