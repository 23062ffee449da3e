//! The converter keeps what the runtime counts on, over a registry in memory.

use lavka_schema_registry::mock::MockRegistry;
use lavka_testkit::acceptance::{RegistryRecord, registry_converter};

#[test]
fn the_contract_of_converters_is_kept() {
    let server = MockRegistry::new().serve().unwrap();
    // Messages are always optional, and have no name of the package they are in.
    let record = RegistryRecord {
        name: "org.example.Reading",
        version: None,
        optional_logicals: true,
        containers: false,
    };
    let back = RegistryRecord { name: "Reading", version: Some(1), ..record };
    let keys = [("optional.for.nullables", "true")];
    registry_converter(lavka_protobuf::plugins().remove(0), &server.url(), &keys, (record, back))
        .check()
        .assert_clean();
}
