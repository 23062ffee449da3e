//! The attributes of Debezium's MBeans, by its own classes.

use std::path::Path;

use lavka_connector_postgres::MBEAN_ATTRIBUTES;
use lavka_testkit::{JarSet, JavaProgram};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/java/MBeanAttributes.java");

#[test]
fn every_attribute_of_debeziums_mbeans_is_known() {
    let test = "every_attribute_of_debeziums_mbeans_is_known";
    let Some(program) = JavaProgram::compile(Path::new(SOURCE), JarSet::DebeziumPostgres, test) else {
        return;
    };
    let output = program.java().arg("MBeanAttributes").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = String::from_utf8(output.stdout).unwrap();
    let ours: Vec<String> =
        MBEAN_ATTRIBUTES.iter().map(|known| format!("{} {}", known.context, known.name)).collect();
    assert_eq!(theirs.lines().collect::<Vec<_>>(), ours);
}
