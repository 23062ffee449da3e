//! Statements beside the released parser of KCQL (`com.datamountaineer:kcql`, 2.8.7).
//!
//! Needs a JDK (for `javac`) and the jars, which the testkit resolves; where either is missing, the test says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use lavka_kcql::{Projection, Statement, Write, parse};
use lavka_testkit::{JarSet, JavaProgram};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/java/Statements.java");

/// Statements that both read alike.
const ALIKE: &[&str] = &[
    "INSERT INTO k SELECT * FROM a",
    "insert into k select * from a/+/b",
    "INSERT INTO k SELECT * FROM /a/b",
    "INSERT INTO k SELECT * FROM `/a/#`",
    "INSERT INTO `$` SELECT * FROM a",
    "INSERT INTO k SELECT * FROM `$share/g/a/#`",
    "INSERT INTO 'k' SELECT * FROM 'a'",
    "INSERT INTO a.b SELECT * FROM c.d",
    "INSERT INTO k SELECT * FROM sensors:x",
    "INSERT INTO k SELECT * FROM {a_b-c}",
    "INSERT INTO k SELECT a, b.c AS d, e.* FROM s",
    "INSERT INTO k SELECT _key.a, _value.b FROM s",
    "INSERT INTO k SELECT *, a FROM s",
    "UPSERT INTO k SELECT a FROM s PK a, b",
    "INSERT INTO k SELECT * FROM a WITHCONVERTER=`x.Y`",
    "INSERT INTO k SELECT * FROM a WITHKEY(`a.b`)",
    "INSERT INTO k SELECT * FROM a WITHKEY (a)",
    "INSERT INTO k SELECT * FROM a WITHREGEX=`a/(.*)`",
    "INSERT INTO k SELECT * FROM s IGNORE a, b AUTOCREATE PK a AUTOEVOLVE BATCH = 10",
    "INSERT INTO k SELECT * FROM s WITHTIMESTAMP ts WITHTAG (a, b=c, d AS e) LIMIT 5",
    "INSERT INTO k SELECT * FROM s WITHTYPE QUEUE WITHCONVERTER=`b`",
    "INSERT INTO k SELECT * FROM s WITHTARGET=a.b",
    "INSERT INTO k SELECT * FROM s STOREAS SS (score=ts)",
    "INSERT INTO k SELECT * FROM s WITHFORMAT JSON WITHUNWRAP",
    "INSERT INTO k SELECT * FROM s WITHSTRUCTURE",
    "INSERT INTO k SELECT * FROM s PARTITIONBY a, b.c",
    "INSERT INTO k SELECT * FROM s TTL=10",
    "INSERT INTO k SELECT * FROM s INCREMENTALMODE=x",
    "INSERT INTO k SELECT * FROM s WITHDOCTYPE=x WITHINDEXSUFFIX=y",
    "INSERT INTO k SELECT * FROM s WITHJMSSELECTOR=`a > 1`",
    "INSERT INTO k SELECT * FROM s WITHSUBSCRIPTION=x",
    "INSERT INTO k SELECT * FROM s WITHPIPELINE=x",
];

/// Statements that neither reads.
const REFUSED: &[&str] = &[
    "",
    "INSERT INTO k SELECT * FROM",
    "INSERT INTO k SELECT FROM s",
    "INSERT k SELECT * FROM s",
    "SELECT * FROM s",
    "INSERT INTO k SELECT f(a FROM s",
];

/// As the Java program shows it.
fn shown(statement: &Statement) -> String {
    let fields = |names: &[String]| names.join(",");
    let projection: Vec<String> = statement
        .projection
        .iter()
        .map(|part| match part {
            Projection::All => "*".to_owned(),
            Projection::Field { path, alias: Some(alias), .. } => format!("{path}={alias}"),
            Projection::Field { path, alias: None, .. } => path.clone(),
        })
        .collect();
    let values = |name: &str| statement.clause(name).map(|clause| clause.values.clone()).unwrap_or_default();
    let first = |name: &str| values(name).first().cloned().unwrap_or_default();
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    [
        if statement.write == Write::Insert { "INSERT" } else { "UPSERT" }.to_owned(),
        statement.target.text.clone(),
        fields(&projection),
        statement.source.text.clone(),
        format!("ignore={}", fields(&values("IGNORE"))),
        format!("pk={}", fields(&values("PK"))),
        format!("converter={}", first("WITHCONVERTER")),
        format!("key={}", fields(&values("WITHKEY"))),
        format!("delimiter={}", or(first("KEYDELIMITER"), ".")),
        format!("regex={}", first("WITHREGEX")),
        format!("target={}", first("WITHTARGET")),
        format!("tags={}", fields(&values("WITHTAG"))),
        format!("storeas={}", first("STOREAS")),
        format!("timestamp={}", first("WITHTIMESTAMP")),
        format!("type={}", first("WITHTYPE")),
        format!("batch={}", or(first("BATCH"), "0")),
        format!("limit={}", or(first("LIMIT"), "0")),
        format!(
            "create={}{}",
            statement.clause("AUTOCREATE").is_some(),
            statement.clause("AUTOEVOLVE").is_some()
        ),
    ]
    .join("|")
}

#[test]
fn statements_as_java_reads_them() {
    let test = "the comparison with the released parser of KCQL";
    let Some(program) = JavaProgram::compile(Path::new(SOURCE), JarSet::LensesConverters, test) else {
        return;
    };
    let mut java =
        program.java().arg("Statements").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines: String = ALIKE.iter().chain(REFUSED).map(|statement| format!("{statement}\n")).collect();
    // Short enough for the pipe, so nobody waits for the other.
    java.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = java.wait_with_output().unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.lines().count(), ALIKE.len() + REFUSED.len());
    for (statement, theirs) in ALIKE.iter().zip(output.lines()) {
        let parsed = parse(statement).unwrap();
        assert!(parsed[0].unused(statement, &[]).is_ok(), "{statement}");
        assert_eq!(parsed.iter().map(shown).collect::<Vec<_>>(), [theirs], "{statement}");
    }
    for (statement, theirs) in REFUSED.iter().zip(output.lines().skip(ALIKE.len())) {
        assert_eq!(theirs, "error", "{statement}");
        assert!(parse(statement).is_err(), "{statement}");
    }
}
