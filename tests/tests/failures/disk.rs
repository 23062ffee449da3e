//! Disks that are full, directories that cannot be written.

use lavka_testkit::{NewRecord, can_mount_for, eventually, services, unique, write_file};
use serde_json::json;

use crate::lake::finished;
use crate::pipeline::{expect_in_lake, lake_sink, with};
use crate::standalone::{PATIENCE, Standalone, restart_failed, wait_for_task, wait_for_trace};

/// `count` readings from the id `first` on, with text that hardly compresses.
fn readings(first: u64, count: u64) -> impl Iterator<Item = NewRecord> {
    let mut chance = lavka_testkit::Chance::seeded(first);
    (first..first + count).map(move |id| {
        let text: String = (0..40).map(|_| format!("{:016x}", chance.below(u64::MAX))).collect();
        NewRecord::of(format!("{{\"id\":{id},\"text\":\"{text}\"}}"))
    })
}

#[test]
fn a_full_disk_is_waited_for_and_a_read_only_one_fails_the_task() {
    const TEST: &str = "a_full_disk_is_waited_for_and_a_read_only_one_fails_the_task";
    if !can_mount_for(TEST) {
        return;
    }
    let kafka = services().kafka.client();
    let (name, topic) = (unique("full"), unique("full"));
    kafka.create_topic(&topic, 1);
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let disk = worker.folder().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mut process = worker.command().disk(&disk, "size=1m").start();
    let rest = process.wait_for_announced_rest(PATIENCE);
    let mut config = with(lake_sink(&topic, &disk.join("lake")), "parquet.codec", "none");
    config["lavka.parquet.row.group.bytes"] = "65536".into();
    assert_eq!(rest.post("/connectors", &json!({"name": name, "config": config})).status, 201);
    let lake = process.sees(&disk.join("lake"));

    // Three times what fits. The task waits, and the log names key, place and remedy.
    kafka.produce(&topic, readings(0, 4000));
    process.wait_for_log("No space left on device", PATIENCE);
    let log = process.log();
    let line = log.lines().find(|line| line.contains("No space left on device")).unwrap();
    for part in ["store.url: cannot ", &disk.display().to_string(), "make room there"] {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
    wait_for_task(&rest, &name, "RUNNING");
    assert!(finished(&lake).len() < 14, "not everything fits");

    // With more room it goes on by itself.
    process.remount(&disk, "size=64m");
    expect_in_lake(&kafka, &topic, &lake);

    // Read-only is nothing that passes by itself: the task fails, and says what to do. (The kernel lets nobody make it
    // read-only while the sink has files open for writing.)
    assert_eq!(rest.send("PUT", &format!("/connectors/{name}/stop"), &[], None).status, 204);
    kafka.produce(&topic, readings(4000, 400));
    eventually("the disk to be read-only", PATIENCE, || process.try_remount(&disk, "ro").then_some(()));
    assert_eq!(rest.send("PUT", &format!("/connectors/{name}/resume"), &[], None).status, 202);
    let trace = wait_for_trace(&rest, &name);
    for part in ["store.url: cannot ", "Read-only file system", "mount the file system for writing"] {
        assert!(trace.contains(part), "no {part:?} in {trace:?}");
    }
    process.remount(&disk, "rw");
    restart_failed(&rest, &name);
    expect_in_lake(&kafka, &topic, &lake);
    assert!(process.stop().success(), "{}", process.log_tail(20));
}

#[test]
fn a_directory_that_cannot_be_made_fails_the_task_until_the_way_is_free() {
    let kafka = services().kafka.client();
    let (name, topic) = (unique("unwritable"), unique("unwritable"));
    kafka.create_topic(&topic, 1);
    kafka.produce(&topic, readings(0, 10));
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let (mut process, rest) = worker.serve();
    // Root may write anywhere, but not below a file.
    let obstacle = write_file(worker.folder(), "obstacle", "");
    let lake = obstacle.join("lake");
    let created = rest.post("/connectors", &json!({"name": name, "config": lake_sink(&topic, &lake)}));
    assert_eq!(created.status, 201, "{}", created.text);
    let trace = wait_for_trace(&rest, &name);
    for part in ["store.url: cannot write to ", &lake.display().to_string(), "move it away"] {
        assert!(trace.contains(part), "no {part:?} in {trace:?}");
    }
    assert_eq!(rest.get(&format!("/connectors/{name}/status")).body["connector"]["state"], "RUNNING");

    std::fs::remove_file(&obstacle).unwrap();
    restart_failed(&rest, &name);
    expect_in_lake(&kafka, &topic, &lake);
    assert!(process.stop().success(), "{}", process.log_tail(20));
}

/// Offsets that cannot be written down are no reason to stop: the records are in Kafka. They are written when they can.
#[test]
fn offsets_are_written_once_there_is_room_for_them() {
    const TEST: &str = "offsets_are_written_once_there_is_room_for_them";
    if !can_mount_for(TEST) {
        return;
    }
    let kafka = services().kafka.client();
    let (name, topic) = (unique("offsets"), unique("offsets"));
    kafka.create_topic(&topic, 1);
    let files = lavka_testkit::temp_dir();
    let disk = files.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let offsets = disk.join("offsets");
    let worker = Standalone::new(
        services().kafka.bootstrap(),
        &[&format!("offset.storage.file.filename={}", offsets.display())],
    );
    let mut process = worker.command().disk(&disk, "size=16k").start();
    let rest = process.wait_for_announced_rest(PATIENCE);
    // Fills it.
    let filling = std::fs::write(process.sees(&disk.join("ballast")), vec![0; 64 * 1024]);
    assert!(filling.is_err());
    let input = write_file(files.path(), "in", "one\ntwo\n");
    let config = json!({"connector.class": "FileStreamSource", "topic": topic, "file": input});
    assert_eq!(rest.post("/connectors", &json!({"name": name, "config": config})).status, 201);
    assert_eq!(kafka.consume_count(&topic, 2, PATIENCE).len(), 2);
    process.wait_for_log("No space left on device", PATIENCE);
    let log = process.log();
    let line = log.lines().find(|line| line.contains("No space left on device")).unwrap();
    for part in ["offset.storage.file.filename", &offsets.display().to_string()] {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
    wait_for_task(&rest, &name, "RUNNING");
    process.remount(&disk, "size=1m");
    eventually("the offsets in their file", PATIENCE, || {
        let written = std::fs::read(process.sees(&offsets)).ok()?;
        String::from_utf8_lossy(&written).contains("\"position\":8").then_some(())
    });
    assert!(process.stop().success(), "{}", process.log_tail(20));
}
