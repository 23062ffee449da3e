//! Two writers who take a partition over at once, the one in the middle of what the other does.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lavka_api::Result;
use lavka_connector_lake::store::{BucketStore, Chunk, End, LakePath, LakeStore, Lease, LogForm, Renamed};
use lavka_connector_lake::task_over;

use crate::bucket::{bucket, store};
use crate::lost_uploads::{by_device, heavy, offsets};
use crate::support::{Rig, names_below, runtime};
use crate::{config, server};

type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A bucket in which something happens as soon as whoever takes a partition over has seen that nobody else has.
struct Slow {
    bucket: BucketStore,
    /// Objects that are created before.
    creations: Mutex<usize>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl std::fmt::Debug for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bucket.fmt(f)
    }
}

#[async_trait]
impl LakeStore for Slow {
    fn log_form(&self) -> LogForm {
        self.bucket.log_form()
    }

    async fn lease(&self, path: &LakePath) -> Result<Option<Lease>> {
        self.bucket.lease(path).await
    }

    fn is_sound(&self, lease: &Lease) -> bool {
        self.bucket.is_sound(lease)
    }

    async fn holder(&self, path: &LakePath) -> String {
        self.bucket.holder(path).await
    }

    async fn create(&self, lease: &Lease, path: &LakePath, becomes: Option<&LakePath>) -> Result<bool> {
        self.bucket.create(lease, path, becomes).await
    }

    async fn create_object(&self, path: &LakePath, bytes: Chunk) -> Result<bool> {
        let is_created = self.bucket.create_object(path, bytes).await?;
        let is_due = {
            let mut left = self.creations.lock().unwrap();
            *left = left.saturating_sub(1);
            *left == 0
        };
        let meanwhile = if is_due { self.meanwhile.lock().unwrap().take() } else { None };
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        Ok(is_created)
    }

    async fn append(&self, lease: &Lease, path: &LakePath, at: u64, bytes: Chunk) -> Result<()> {
        self.bucket.append(lease, path, at, bytes).await
    }

    async fn sync(&self, lease: &Lease, path: &LakePath) -> Result<bool> {
        self.bucket.sync(lease, path).await
    }

    async fn read(&self, path: &LakePath, limit: u64) -> Result<Option<Vec<u8>>> {
        self.bucket.read(path, limit).await
    }

    async fn read_end(&self, path: &LakePath, end: End) -> Result<Option<Vec<u8>>> {
        self.bucket.read_end(path, end).await
    }

    async fn rename_if_absent(&self, lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed> {
        self.bucket.rename_if_absent(lease, from, to).await
    }

    async fn list(&self, path: &LakePath) -> Result<Vec<LakePath>> {
        self.bucket.list(path).await
    }

    async fn delete(&self, lease: &Lease, path: &LakePath) -> Result<bool> {
        self.bucket.delete(lease, path).await
    }
}

#[test]
fn taking_over_time_and_again_leaves_no_more_objects() {
    let Some(server) = server("taking_over_time_and_again_leaves_no_more_objects") else { return };
    let bucket = bucket(server, "lake");
    let (store, config) = (store(server, &bucket), config(server, &bucket));
    runtime().block_on(async {
        for _ in 0..8 {
            Rig::open(&config).await.unwrap().stop().await;
        }
        let logs = names_below(&store, "logs").await;
        assert!(logs.len() <= 2, "{logs:?}");
    });
}

#[test]
fn who_takes_over_slowly_leaves_the_files_of_the_next_one_alone() {
    let Some(server) = server("who_takes_over_slowly_leaves_the_files_of_the_next_one_alone") else { return };
    let bucket = bucket(server, "lake");
    let (store, config) = (store(server, &bucket), by_device(&config(server, &bucket)));
    runtime().block_on(async {
        // A log that has begun.
        Rig::open(&config).await.unwrap().stop().await;
        let next: Arc<Mutex<Option<Rig>>> = Arc::default();
        let (given, its_config) = (Arc::clone(&next), config.clone());
        let meanwhile = async move {
            let mut rig = Rig::open(&its_config).await.unwrap();
            rig.record = heavy;
            rig.put(8).await.unwrap();
            *given.lock().unwrap() = Some(rig);
        };
        let slow = Slow {
            bucket: store.clone(),
            // The second one tries whether the store refuses it.
            creations: Mutex::new(2),
            meanwhile: Mutex::new(Some(Box::pin(meanwhile))),
        };
        let task = task_over(&config, Arc::new(slow)).unwrap();
        let mut slow = Rig::of(Box::new(task)).await.unwrap();
        assert_eq!(server.open_uploads(&bucket), 1, "the next one's file is under way");
        let mut next = next.lock().unwrap().take().unwrap();
        next.put(4).await.unwrap();
        assert_eq!(next.durable().await, Some(12));
        slow.record = heavy;
        assert!(slow.put(12).await.unwrap_err().is_retriable(), "it has lost the partition");
        next.stop().await;
        slow.stop().await;
        assert_eq!(offsets(&store).await, (0..12).collect::<Vec<i64>>());
    });
}
