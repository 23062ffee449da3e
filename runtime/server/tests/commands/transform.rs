//! `lavka transform`.

use std::path::PathBuf;

use expect_test::expect;

use crate::support::{Folder, lavka};

const CHAIN: &str = r#"{
    "name": "c", "connector.class": "FileStreamSink", "topics": "t",
    "transforms": "drop,cast,route",
    "transforms.drop.type": "org.apache.kafka.connect.transforms.Filter",
    "transforms.drop.predicate": "tombstone",
    "predicates": "tombstone",
    "predicates.tombstone.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
    "transforms.cast.type": "org.apache.kafka.connect.transforms.Cast$Value",
    "transforms.cast.spec": "a:int8",
    "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
    "transforms.route.regex": "(.*)",
    "transforms.route.replacement": "new-$1"
}"#;

const RECORDS: &str = r#"{"topic":"t","partition":0,"offset":1,"timestamp":1700000000000,"headers":[{"key":"h","value":"x"}],"key":"k","value":{"a":300,"b":[1.50,{"c":null}]}}

{"topic":"t","offset":2,"value":null}
{"topic":"t","offset":3,"value":{"a":"x"}}
{"topic":"t" "offset":4}
{"value":{"a":1}}
"#;

fn connector(folder: &Folder, json: &str) -> PathBuf {
    folder.file("connector.json", json)
}

#[test]
fn results_drops_and_errors() {
    let folder = Folder::new();
    let path = connector(&folder, CHAIN);
    let output = lavka(&["transform".as_ref(), path.as_os_str()], RECORDS);
    expect![[r#"
        {"topic":"new-t","partition":0,"offset":1,"timestamp":1700000000000,"headers":[{"key":"h","value":"x"}],"key":"k","value":{"a":44,"b":[1.5,{"c":null}]}}
        {"line":3,"topic":"t","partition":null,"offset":2,"dropped":true,"by":"drop"}
        {"line":4,"topic":"t","partition":null,"offset":3,"error":{"stage":"TRANSFORMATION","class":"org.apache.kafka.connect.transforms.Cast$Value","exception":"org.apache.kafka.connect.errors.DataException","message":"Value (x) was out of range for requested data type"}}
        {"line":5,"error":{"message":"line 5, column 14: expected `,` or `}`"}}
        {"topic":"new-t","partition":null,"offset":null,"timestamp":null,"headers":[],"key":null,"value":{"a":1}}
        exit status 1
    "#]].assert_eq(&output.shown(folder.path()));
    let records = folder.file("records.jsonl", RECORDS);
    let from_file = lavka(&["transform".as_ref(), path.as_os_str(), records.as_os_str()], "");
    assert_eq!(from_file.stdout, output.stdout);
}

#[test]
fn what_each_step_changes() {
    let folder = Folder::new();
    let path = connector(&folder, CHAIN);
    let output = lavka(&["transform".as_ref(), "--diff".as_ref(), path.as_os_str()], RECORDS);
    expect![[r#"
        line 1
            topic         "t"
            partition     0
            offset        1
            timestamp     1700000000000
            header h      "x"  STRING
            key           "k"  (STRING)
            value         {…}  (MAP)
            value.a       300  (INT64)
            value.b       […]  (ARRAY)
            value.b[0]    1.5  (FLOAT64)
            value.b[1]    {…}  (MAP)
            value.b[1].c  null
        drop  org.apache.kafka.connect.transforms.Filter
            nothing changed
        cast  org.apache.kafka.connect.transforms.Cast$Value
            topic         "t"
            partition     0
            offset        1
            timestamp     1700000000000
            header h      "x"  STRING
            key           "k"  (STRING)
            value         {…}  (MAP)
          - value.a       300  (INT64)
          ~ value.a       44  (INT8)
            value.b       […]  (ARRAY)
            value.b[0]    1.5  (FLOAT64)
            value.b[1]    {…}  (MAP)
            value.b[1].c  null
        route  org.apache.kafka.connect.transforms.RegexRouter
          - topic         "t"
          ~ topic         "new-t"
            partition     0
            offset        1
            timestamp     1700000000000
            header h      "x"  STRING
            key           "k"  (STRING)
            value         {…}  (MAP)
            value.a       44  (INT8)
            value.b       […]  (ARRAY)
            value.b[0]    1.5  (FLOAT64)
            value.b[1]    {…}  (MAP)
            value.b[1].c  null
        output
            {"topic":"new-t","partition":0,"offset":1,"timestamp":1700000000000,"headers":[{"key":"h","value":"x"}],"key":"k","value":{"a":44,"b":[1.5,{"c":null}]}}

        line 3
            topic      "t"
            partition  null
            offset     2
            timestamp  null
            key        null
            value      null
        drop  org.apache.kafka.connect.transforms.Filter
            dropped
        output
            {"line":3,"topic":"t","partition":null,"offset":2,"dropped":true,"by":"drop"}

        line 4
            topic      "t"
            partition  null
            offset     3
            timestamp  null
            key        null
            value      {…}  (MAP)
            value.a    "x"  (STRING)
        drop  org.apache.kafka.connect.transforms.Filter
            nothing changed
        cast  org.apache.kafka.connect.transforms.Cast$Value
            failed
        output
            {"line":4,"topic":"t","partition":null,"offset":3,"error":{"stage":"TRANSFORMATION","class":"org.apache.kafka.connect.transforms.Cast$Value","exception":"org.apache.kafka.connect.errors.DataException","message":"Value (x) was out of range for requested data type"}}

        output
            {"line":5,"error":{"message":"line 5, column 14: expected `,` or `}`"}}

        line 6
            topic      "t"
            partition  null
            offset     0
            timestamp  null
            key        null
            value      {…}  (MAP)
            value.a    1  (INT64)
        drop  org.apache.kafka.connect.transforms.Filter
            nothing changed
        cast  org.apache.kafka.connect.transforms.Cast$Value
            topic      "t"
            partition  null
            offset     0
            timestamp  null
            key        null
            value      {…}  (MAP)
          - value.a    1  (INT64)
          ~ value.a    1  (INT8)
        route  org.apache.kafka.connect.transforms.RegexRouter
          - topic      "t"
          ~ topic      "new-t"
            partition  null
            offset     0
            timestamp  null
            key        null
            value      {…}  (MAP)
            value.a    1  (INT8)
        output
            {"topic":"new-t","partition":null,"offset":null,"timestamp":null,"headers":[],"key":null,"value":{"a":1}}

        exit status 1
    "#]].assert_eq(&output.shown(folder.path()));
}

#[test]
fn steps_show_schemas_and_what_comes_and_goes() {
    let folder = Folder::new();
    let path = connector(
        &folder,
        r#"{
            "name": "c", "connector.class": "FileStreamSink", "topics": "t",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "transforms": "tidy,origin,drop",
            "transforms.tidy.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
            "transforms.tidy.renames": "id:key",
            "transforms.tidy.exclude": "debug",
            "transforms.origin.type": "org.apache.kafka.connect.transforms.InsertField$Value",
            "transforms.origin.topic.field": "topic",
            "transforms.drop.type": "org.apache.kafka.connect.transforms.DropHeaders",
            "transforms.drop.headers": "h"
        }"#,
    );
    let record = r#"{"topic":"t","headers":[{"key":"h","value":"1"},{"key":"g","value":"1"},{"key":"g","value":true}],"value":{"schema":{"type":"struct","name":"com.example.Reading","version":2,"fields":[{"field":"id","type":"int32"},{"field":"debug","type":"string","optional":true},{"field":"at","type":"int64","name":"org.apache.kafka.connect.data.Timestamp"}]},"payload":{"id":1,"debug":null,"at":1700000000000}}}"#;
    let output = lavka(&["transform".as_ref(), "--diff".as_ref(), path.as_os_str()], record);
    expect![[r#"
        line 1
            topic        "t"
            partition    null
            offset       0
            timestamp    null
            header h     1  INT8
            header g     1  INT8
            header g#2   true  BOOLEAN
            key          null
            value        {…}  STRUCT com.example.Reading v2
            value.id     1  INT32
            value.debug  null  STRING optional
            value.at     2023-11-14T22:13:20.000Z  INT64 org.apache.kafka.connect.data.Timestamp
        tidy  org.apache.kafka.connect.transforms.ReplaceField$Value
            topic        "t"
            partition    null
            offset       0
            timestamp    null
            header h     1  INT8
            header g     1  INT8
            header g#2   true  BOOLEAN
            key          null
            value        {…}  STRUCT com.example.Reading v2
          + value.key    1  INT32
          - value.id     1  INT32
          - value.debug  null  STRING optional
            value.at     2023-11-14T22:13:20.000Z  INT64 org.apache.kafka.connect.data.Timestamp
        origin  org.apache.kafka.connect.transforms.InsertField$Value
            topic        "t"
            partition    null
            offset       0
            timestamp    null
            header h     1  INT8
            header g     1  INT8
            header g#2   true  BOOLEAN
            key          null
            value        {…}  STRUCT com.example.Reading v2
            value.key    1  INT32
            value.at     2023-11-14T22:13:20.000Z  INT64 org.apache.kafka.connect.data.Timestamp
          + value.topic  "t"  STRING optional
        drop  org.apache.kafka.connect.transforms.DropHeaders
            topic        "t"
            partition    null
            offset       0
            timestamp    null
          - header h     1  INT8
            header g     1  INT8
            header g#2   true  BOOLEAN
            key          null
            value        {…}  STRUCT com.example.Reading v2
            value.key    1  INT32
            value.at     2023-11-14T22:13:20.000Z  INT64 org.apache.kafka.connect.data.Timestamp
            value.topic  "t"  STRING optional
        output
            {"topic":"t","partition":null,"offset":null,"timestamp":null,"headers":[{"key":"g","value":"1"},{"key":"g","value":"true"}],"key":null,"value":{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"key"},{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","field":"at"},{"type":"string","optional":true,"field":"topic"}],"optional":false,"name":"com.example.Reading","version":2},"payload":{"key":1,"at":1700000000000,"topic":"t"}}}

        exit status 0
    "#]].assert_eq(&output.shown(folder.path()));
}

#[test]
fn payloads_of_each_kind_of_converter() {
    let folder = Folder::new();
    let through = |converters: &str, record: &str| {
        let path = connector(
            &folder,
            &format!(r#"{{"name":"c","connector.class":"FileStreamSink","topics":"lines",{converters}}}"#),
        );
        let output = lavka(&["transform".as_ref(), path.as_os_str()], record);
        assert_eq!(output.stderr, "");
        output.stdout
    };
    let both = |class: &str| {
        format!(
            r#""key.converter":"{class}","key.converter.schemas.enable":"false",
               "value.converter":"{class}","value.converter.schemas.enable":"false""#
        )
    };
    // The topic is the first of the connector's.
    let record = r#"{"key":12345678901,"value":{"d":1.10,"t":"é"}}"#;
    expect![[r#"
        {"topic":"lines","partition":null,"offset":null,"timestamp":null,"headers":[],"key":12345678901,"value":{"d":1.1,"t":"é"}}
    "#]].assert_eq(&through(&both("JsonConverter"), record));
    expect![[r#"
        {"topic":"lines","partition":null,"offset":null,"timestamp":null,"headers":[],"key":"k","value":"{\"a\":1}"}
    "#]].assert_eq(&through(&both("StringConverter"), r#"{"key":"k","value":{"a":1}}"#));
    expect![[r#"
        {"topic":"lines","partition":null,"offset":null,"timestamp":null,"headers":[],"key":5,"value":-1}
    "#]]
    .assert_eq(&through(&both("LongConverter"), r#"{"key":5,"value":-1}"#));
    expect![[r#"
        {"topic":"lines","partition":null,"offset":null,"timestamp":null,"headers":[],"key":true,"value":null}
    "#]]
    .assert_eq(&through(&both("BooleanConverter"), r#"{"key":true,"value":null}"#));
    expect![[r#"
        {"topic":"lines","partition":null,"offset":null,"timestamp":null,"headers":[],"key":{"base64":"AP8="},"value":{"a":1}}
    "#]].assert_eq(&through(&both("ByteArrayConverter"),
        r#"{"key":{"base64":"AP8="},"value":{"a":1}}"#));
    expect![[r#"
        {"line":1,"topic":"lines","partition":null,"offset":null,"error":{"stage":"KEY_CONVERTER","class":"org.apache.kafka.connect.converters.IntegerConverter","exception":"org.apache.kafka.connect.errors.DataException","message":"Failed to deserialize integer: "}}
    "#]].assert_eq(&through(&both("IntegerConverter"), r#"{"key":"not a number","value":1}"#));
}

#[test]
fn lines_that_are_no_records() {
    let folder = Folder::new();
    let path = connector(&folder, r#"{"name":"c","connector.class":"FileStreamSink","topics":"t"}"#);
    let lines = "[1]\n{\"vlaue\":1}\n{\"offset\":\"1\"}\n{\"headers\":{}}\n{\"value\":{\"a\":01}}\n";
    expect![[r#"
        {"line":1,"error":{"message":"line 1, not a JSON object, which a record is"}}
        {"line":2,"error":{"message":"line 2, field 'vlaue': not a field of a record; did you mean 'value'?"}}
        {"line":3,"error":{"message":"line 3, field 'offset': not an integer"}}
        {"line":4,"error":{"message":"line 4, field 'headers': not an array of {\"key\": …, \"value\": …}"}}
        {"line":5,"error":{"message":"line 5, column 16: invalid number"}}
        exit status 1
    "#]]
    .assert_eq(&lavka(&["transform".as_ref(), path.as_os_str()], lines).shown(folder.path()));
    let binary = folder.file("binary", b"{}\n\xff\xfe\n");
    let output = lavka(&["transform".as_ref(), path.as_os_str(), binary.as_os_str()], "");
    assert_eq!(output.status, Some(1));
    assert!(output.stderr.contains("binary, line 2: not UTF-8"), "{}", output.stderr);
    let missing = lavka(&["transform".as_ref(), path.as_os_str(), "/nowhere/records".as_ref()], "");
    assert!(missing.stderr.contains("/nowhere/records cannot be read"), "{}", missing.stderr);
}
