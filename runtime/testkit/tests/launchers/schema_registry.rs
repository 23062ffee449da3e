use lavka_testkit::{RestClient, SchemaRegistryServer, services};
use serde_json::json;

/// One server for all of it: each takes some seconds to start.
#[test]
fn a_registry_keeps_schemas_until_it_is_started_again() {
    // Says so in the closing lines where there are no jars.
    if services().schema_registry_for("a_registry_keeps_schemas_until_it_is_started_again").is_none() {
        return;
    }
    let mut registry = SchemaRegistryServer::start().unwrap();
    let client = RestClient::new(registry.url());
    let schema = json!({ "schema": "\"int\"" });
    let registered = client.post("/subjects/a-value/versions", &schema);
    assert_eq!(registered.status, 200);
    let id = registered.body["id"].as_i64().unwrap();
    assert_eq!(client.get(&format!("/schemas/ids/{id}")).body["schema"], schema["schema"]);

    registry.kill();
    assert!(client.try_get("/subjects").is_err());
    registry.restart().unwrap();
    assert_eq!(client.get("/subjects").body, json!([]));
}
