//! Writers that fall silent with a log open, of which nobody can tell whether they are dead: HDFS gives their leases away after
//! a minute. One was killed on another machine, in the middle of a commit. One is paused, and wakes up when another has taken
//! over and has written.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_connector_lake::store::{Chunk, HdfsStore, LakePath, LakeStore as _, Renamed};
use lavka_testkit::{TempDir, eventually, services, temp_dir, unique};

use crate::support::{Rig, assert_complete, copy_of, given_config, names_below, runtime};
use crate::{config, java_log, store};

const PATIENCE: Duration = Duration::from_secs(120);
/// Half a second each: some minutes, of which HDFS takes one.
const TRIES: usize = 600;
/// Where a writer and its test wait for each other, and the root of its store.
const FOLDER: &str = "LAVKA_TEST_SILENT_FOLDER";
const ROOT: &str = "LAVKA_TEST_SILENT_ROOT";
const LOG: &str = "logs/t/0/log";
const HOLDER: &str = "logs/t/0/log.holder";
const SECOND: &str = "topics/t/partition=0/t+0+0000000020+0000000039.parquet";
const TEMP: &str = "topics/+tmp/t/0/11111111-2222_tmp.parquet";
const UNFINISHED: &str = "topics/+tmp/t/0/33333333-2222_tmp.parquet";

fn path(text: &str) -> LakePath {
    LakePath::new(text).unwrap()
}

fn chunk(text: &str) -> Chunk {
    Chunk::from(text.as_bytes().to_vec())
}

/// A copy of this binary, and the folder in which it and its test wait for each other.
struct Writer {
    process: Child,
    folder: TempDir,
}

impl Writer {
    fn start(test: &str, config: &Config, root: &str) -> Self {
        let folder = temp_dir();
        let mut command = copy_of(test, config);
        let process = command.env(FOLDER, folder.path()).env(ROOT, root).spawn().unwrap();
        Self { process, folder }
    }

    fn wait_for(&mut self, note: &str) {
        let note = self.folder.path().join(note);
        eventually("the writer", PATIENCE, || note.exists().then_some(()));
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a copy was told; nothing, where this is the test itself.
fn told() -> Option<(Config, PathBuf, String)> {
    Some((given_config()?, std::env::var_os(FOLDER)?.into(), std::env::var(ROOT).ok()?))
}

fn leave(folder: &Path, note: &str) {
    std::fs::write(folder.join(note), "").unwrap();
}

/// A copy that is in the middle of a commit, with a file half written as well, until it is killed.
#[test]
fn committer() {
    let Some((config, folder, root)) = told() else { return };
    runtime().block_on(async {
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(40).await.unwrap();
        rig.stop().await;
        let (url, _) = config.get("hdfs.url").unwrap().rsplit_once('/').unwrap();
        let store = store(url, &root);
        let log = path(LOG);
        let lease = store.lease(&log).await.unwrap().unwrap();
        let renamed = store.rename_if_absent(&lease, &path(SECOND), &path(TEMP)).await.unwrap();
        assert_eq!(renamed, Renamed::Done);
        store.create(&lease, &path(UNFINISHED), None).await.unwrap();
        store.append(&lease, &path(UNFINISHED), 0, chunk("PAR1 and no more")).await.unwrap();
        let at = u64::try_from(store.read(&log, 1 << 20).await.unwrap().unwrap().len()).unwrap();
        let full = |path: &str| format!("{url}/{root}/{path}");
        let mark = |text: &str| (text.to_owned(), String::new());
        let block = java_log(&[mark("BEGIN"), (full(TEMP), full(SECOND)), mark("END")]);
        // The file has a header already.
        let block = block[4 + 16..].to_vec();
        store.append(&lease, &log, at, Chunk::from(block)).await.unwrap();
        store.sync(&lease, &log).await.unwrap();
        leave(&folder, "ready");
        std::future::pending::<()>().await;
    });
}

/// A copy that goes on writing whatever happens, and says so.
#[test]
fn zombie() {
    let Some((config, folder, _)) = told() else { return };
    runtime().block_on(async {
        let mut rig = Rig::open(&config).await.unwrap();
        rig.put(33).await.unwrap();
        leave(&folder, "ready");
        loop {
            if let Err(error) = rig.put(7).await {
                assert!(error.is_retriable(), "{error}");
                std::fs::write(folder.join("refused"), error.to_string()).unwrap();
            }
            if folder.join("refused").exists() && !rig.paused && rig.position >= 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        while rig.durable().await < Some(240) {
            rig.put_at_last(7, TRIES).await;
        }
        rig.stop().await;
        leave(&folder, "done");
    });
}

/// A task that has to wait for the lease, and at last has it.
async fn take_over(config: &Config) -> Rig {
    let mut rig = Rig::open(config).await.unwrap();
    assert!(rig.paused, "HDFS gives the lease of a silent writer up after a minute");
    rig.put_at_last(0, TRIES).await;
    rig
}

/// The note that the holder of a lease leaves tells of a process that could be looked up; this one, of another machine.
async fn move_to_another_machine(store: &HdfsStore) {
    let note = String::from_utf8(store.read(&path(HOLDER), 4096).await.unwrap().unwrap()).unwrap();
    let lease = store.lease(&path("other/log")).await.unwrap().unwrap();
    store.delete(&lease, &path(HOLDER)).await.unwrap();
    store.create(&lease, &path(HOLDER), None).await.unwrap();
    store.append(&lease, &path(HOLDER), 0, chunk(&note.replace(" on ", " on another-"))).await.unwrap();
    store.sync(&lease, &path(HOLDER)).await.unwrap();
    store.release(lease).await;
}

/// Calls `meanwhile` once they are silent, and HDFS's minute has begun.
pub(crate) fn lose_their_leases_and_commit_nothing_any_more(meanwhile: impl FnOnce()) {
    let Some(hdfs) = services().hdfs_for(crate::ABSENT_ONES) else { return };
    let url = hdfs.url();
    let (dead_root, zombie_root) = (unique("dead"), unique("zombie"));
    let (dead_config, zombie_config) = (config(url, &dead_root), config(url, &zombie_root));
    let (dead_store, zombie_store) = (store(url, &dead_root), store(url, &zombie_root));
    let mut dead = Writer::start("absent_writers::committer", &dead_config, &dead_root);
    let mut zombie = Writer::start("absent_writers::zombie", &zombie_config, &zombie_root);
    dead.wait_for("ready");
    dead.kill();
    zombie.wait_for("ready");
    zombie.signal("-STOP");
    meanwhile();
    runtime().block_on(async {
        move_to_another_machine(&dead_store).await;
        let (mut after_dead, mut after_zombie) =
            tokio::join!(take_over(&dead_config), take_over(&zombie_config));

        // The dead one's commit is finished, and its other files are gone.
        assert_eq!(after_dead.position, 40);
        assert_complete(&dead_store, 40).await;
        assert_eq!(names_below(&dead_store, "topics/+tmp").await, Vec::<String>::new());
        after_dead.put(20).await.unwrap();
        after_dead.stop().await;
        assert_complete(&dead_store, 60).await;

        // The one that was asleep goes on where it was, and gets nowhere.
        after_zombie.put(45).await.unwrap();
        let reached = after_zombie.durable().await.unwrap();
        assert!(reached >= 60, "{reached}");
        zombie.signal("-CONT");
        zombie.wait_for("refused");
        assert_complete(&zombie_store, reached).await;
        while after_zombie.position < 200 {
            after_zombie.put(20).await.unwrap();
        }
        let reached = after_zombie.durable().await.unwrap();
        after_zombie.stop().await;
        assert_complete(&zombie_store, reached).await;
        // It gets the partition back in its turn.
        zombie.wait_for("done");
        assert!(zombie.process.wait().unwrap().success());
        let mut last = Rig::open(&zombie_config).await.unwrap();
        let reached = last.position;
        assert!(reached >= 240, "{reached}");
        last.put(20).await.unwrap();
        last.stop().await;
        assert_complete(&zombie_store, reached + 20).await;
        assert_eq!(names_below(&zombie_store, "topics/+tmp").await, Vec::<String>::new());
    });
}
