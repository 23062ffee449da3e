//! The offset file beside Java's: what Kafka Connect's own `FileOffsetBackingStore` reads from a file of ours, and what
//! we read from one of its.
//!
//! Needs a JDK (for `javac`) and Kafka's jars, which the testkit resolves; where either is missing and no real Kafka is
//! required, the tests say so and pass.

use std::collections::BTreeMap;
use std::path::Path;

use lavka_api::data::{OffsetMap, Value};
use lavka_engine::source::OffsetStore as _;
use lavka_testkit::{JarSet, JavaProgram, temp_dir};

use super::{FileOffsetStore, java_map};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/java/OffsetFile.java");

/// More than Java's table holds before it grows, several times over.
const MANY: i64 = 1000;
/// Longer than what Java's object streams write as one block (1024 bytes), and than 16 bits count.
const LARGE: usize = 200_000;

/// The Java program.
struct Java(JavaProgram);

impl Java {
    fn find() -> Option<Self> {
        let test = "the comparison with Java's offset file";
        JavaProgram::compile(Path::new(SOURCE), JarSet::Connect, test).map(Self)
    }

    fn run(&self, command: &str, files: &[&Path]) -> String {
        let output = self.0.java().args(["OffsetFile", command]).args(files).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, file: &Path) -> BTreeMap<String, String> {
        let lines = self.run("read", &[file]);
        let pairs = lines.lines().map(|line| line.split_once(' ').unwrap());
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn write(&self, file: &Path, entries: &BTreeMap<String, String>) {
        let folder = temp_dir();
        let list = folder.path().join("entries");
        let lines: String = entries.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
        std::fs::write(&list, lines).unwrap();
        self.run("write", &[file, &list]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a file has in it, as the Java program shows it.
fn shown(file: &Path) -> BTreeMap<String, String> {
    let entries = java_map::read(&std::fs::read(file).unwrap()).unwrap();
    let shown = entries.iter().map(|(key, value)| (hex(key), value.as_deref().map_or("-".to_owned(), hex)));
    shown.collect()
}

fn partition(number: i64) -> OffsetMap {
    OffsetMap::new([("file", Value::from(format!("/ä/{number}"))), ("part", Value::Int64(number))])
}

fn offset(number: i64) -> OffsetMap {
    OffsetMap::new([("position", Value::Int64(number))])
}

fn large() -> OffsetMap {
    OffsetMap::new([("cursor", Value::from("ü".repeat(LARGE)))])
}

/// Many partitions, every seventh with a tombstone, and a large offset under a large partition.
fn changes() -> Vec<(OffsetMap, Option<OffsetMap>)> {
    let many = (0..MANY).map(|number| (partition(number), (number % 7 != 0).then(|| offset(number))));
    many.chain([(large(), Some(large()))]).collect()
}

#[tokio::test]
async fn java_reads_what_we_wrote() {
    let Some(java) = Java::find() else { return };
    let folder = temp_dir();
    let path = folder.path().join("offsets");
    let store = FileOffsetStore::open(&path).unwrap();
    store.write("a source", &changes()).await.unwrap();
    store.write("other", &changes()[..9]).await.unwrap();
    let read = java.read(&path);
    assert_eq!(read.len(), changes().len() + 9);
    assert_eq!(read, shown(&path));
    assert_eq!(read[&hex(r#"["other",{"file":"/ä/0","part":0}]"#.as_bytes())], "-");
}

#[tokio::test]
async fn we_read_what_java_wrote() {
    let Some(java) = Java::find() else { return };
    let folder = temp_dir();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    FileOffsetStore::open(&ours).unwrap().write("c", &changes()).await.unwrap();
    let entries = shown(&ours);
    java.write(&theirs, &entries);
    assert_eq!(shown(&theirs), entries);
    let store = FileOffsetStore::open(&theirs).unwrap();
    let partitions: Vec<OffsetMap> = changes().into_iter().map(|(partition, _)| partition).collect();
    let offsets: Vec<Option<OffsetMap>> = changes().into_iter().map(|(_, offset)| offset).collect();
    assert_eq!(store.reader("c").offsets(&partitions).await.unwrap(), offsets);
}

/// A worker of each kind in turn, on one file.
#[tokio::test]
async fn a_file_goes_back_and_forth() {
    let Some(java) = Java::find() else { return };
    let folder = temp_dir();
    let path = folder.path().join("offsets");
    let key = |number: i64| hex(format!(r#"["c",{{"p":{number}}}]"#).as_bytes());
    let value = |number: i64| hex(format!(r#"{{"o":{number}}}"#).as_bytes());
    let map = |name: &str, number: i64| OffsetMap::new([(name, Value::Int64(number))]);
    java.write(&path, &BTreeMap::from([(key(1), value(1)), (key(2), value(2))]));
    let store = FileOffsetStore::open(&path).unwrap();
    let changes = [(map("p", 2), Some(map("o", 3))), (map("p", 3), Some(map("o", 4)))];
    store.write("c", &changes).await.unwrap();
    java.write(&path, &BTreeMap::from([(key(1), "-".to_owned()), (key(4), value(5))]));
    let expected = [(key(1), "-".to_owned()), (key(2), value(3)), (key(3), value(4)), (key(4), value(5))];
    assert_eq!(java.read(&path), BTreeMap::from(expected));
    let mut read = FileOffsetStore::open(&path).unwrap().read_all("c").await.unwrap();
    // Java's map has an order of its own.
    read.sort_by_key(|(partition, _)| format!("{partition:?}"));
    assert_eq!(read, [(map("p", 2), map("o", 3)), (map("p", 3), map("o", 4)), (map("p", 4), map("o", 5))]);
}
