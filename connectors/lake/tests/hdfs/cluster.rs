//! A cluster of which a part dies: the name node that decides, or a data node in the middle of an append.

use std::time::Duration;

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_connector_lake::store::{Chunk, HdfsSettings, HdfsStore, LakePath, LakeStore as _};
use lavka_testkit::{HdfsCluster, count, had};

use crate::support::{Rig, assert_complete, names_below, runtime};

fn start() -> Option<HdfsCluster> {
    had(HdfsCluster::start(), crate::ABSENT_ONES, "HDFS")
}

fn store(cluster: &HdfsCluster) -> HdfsStore {
    HdfsStore::new(HdfsSettings {
        cluster: HdfsCluster::URL.to_owned(),
        root: "/lake".to_owned(),
        key: "store.url",
        conf_dir: Some(cluster.conf_dir().display().to_string()),
        ..HdfsSettings::default()
    })
}

fn config(cluster: &HdfsCluster) -> Config {
    let mut config = crate::config(HdfsCluster::URL, "lake");
    config.set("hadoop.conf.dir", cluster.conf_dir().display().to_string());
    config
}

/// Does `operation` again while it fails in a way that waiting helps against.
async fn at_last<T>(operation: impl AsyncFn() -> Result<T>) -> T {
    for _ in 0..400 {
        match operation().await {
            Ok(value) => return value,
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("400 tries were in vain");
}

/// Puts until `end` records were taken, whatever fails meanwhile in a way that waiting helps against.
async fn put_up_to(rig: &mut Rig, end: i64) {
    while rig.position < end {
        rig.put_at_last(10, 200).await;
    }
}

/// Goes on to 200 records, stops, and goes on with another task. Then each record is there once, and nothing else is.
async fn finish(mut rig: Rig, cluster: &HdfsCluster) {
    let store = store(cluster);
    put_up_to(&mut rig, 200).await;
    let durable = rig.durable().await.unwrap();
    rig.stop().await;
    assert_complete(&store, durable).await;
    let mut rig = Rig::open(&config(cluster)).await.unwrap();
    put_up_to(&mut rig, 240).await;
    rig.stop().await;
    assert_complete(&store, 240).await;
    assert_eq!(names_below(&store, "topics/+tmp").await, Vec::<String>::new());
}

pub(crate) fn the_other_name_node_takes_over_in_mid_work() {
    let Some(mut cluster) = start() else { return };
    runtime().block_on(async {
        let mut rig = Rig::open(&config(&cluster)).await.unwrap();
        rig.put(33).await.unwrap();
        cluster.kill_active();
        let error = rig.put(30).await.unwrap_err();
        assert!(error.is_retriable(), "{error}");
        cluster.fail_over();
        put_up_to(&mut rig, 100).await;
        // Back again, with both alive: the one that is asked first stands by.
        cluster.restart_standby();
        cluster.fail_over();
        put_up_to(&mut rig, 150).await;
        // Nobody takes over, and the same one comes back.
        cluster.kill_active();
        let error = rig.put(30).await.unwrap_err();
        assert!(error.is_retriable(), "{error}");
        cluster.restart_active();
        finish(rig, &cluster).await;
    });
}

/// A file of some blocks, each on two of three data nodes, one of which is killed in the middle.
async fn append_over_a_death(cluster: &mut HdfsCluster, node: usize) {
    let store = store(cluster);
    let path = |text: &str| LakePath::new(text).unwrap();
    let lease = store.lease(&path("other/log")).await.unwrap().unwrap();
    let temp = path("other/a");
    store.create(&lease, &temp, None).await.unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let mut at = 0;
    for (number, part) in bytes.chunks(300_000).enumerate() {
        if number == 4 {
            cluster.kill_data_node(node);
        }
        at_last(async || store.append(&lease, &temp, at, Chunk::from(part.to_vec())).await).await;
        at += u64::try_from(part.len()).unwrap();
    }
    assert!(at_last(async || store.sync(&lease, &temp).await).await);
    assert_eq!(store.read(&temp, 10_000_000).await.unwrap().unwrap(), bytes);
    cluster.restart_data_node(node);
}

/// One node in a cluster, and in a soak run each of them in a cluster of its own: of an open log whose pipeline has lost a node
/// there is a single replica, and HDFS makes no other before it is closed. Without that one nobody could go on.
pub(crate) fn data_nodes_that_die_or_fall_silent_are_done_without() {
    for number in 0..count(1, 3) {
        let Some(mut cluster) = start() else { return };
        runtime().block_on(async {
            append_over_a_death(&mut cluster, number).await;
            let mut rig = Rig::open(&config(&cluster)).await.unwrap();
            rig.put_at_last(33, 200).await;
            cluster.kill_data_node(number);
            put_up_to(&mut rig, 90).await;
            cluster.restart_data_node(number);
            // Connections to it stand, new ones are taken, and nothing is answered.
            cluster.pause_data_node(number);
            put_up_to(&mut rig, 150).await;
            cluster.resume_data_node(number);
            finish(rig, &cluster).await;
        });
    }
}
