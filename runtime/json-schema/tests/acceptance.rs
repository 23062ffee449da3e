//! The converter keeps what the runtime counts on, over a registry in memory.

use lavka_api::data::{Datum, Schema, Type};
use lavka_schema_registry::mock::MockRegistry;
use lavka_testkit::acceptance::{RegistryRecord, registry_converter};

#[test]
fn the_contract_of_converters_is_kept() {
    let server = MockRegistry::new().serve().unwrap();
    let record = RegistryRecord {
        name: "org.example.Reading",
        version: None,
        optional_logicals: false,
        containers: true,
    };
    // Under the registry's version of its schema.
    let back = RegistryRecord { version: Some(1), ..record };
    registry_converter(lavka_json_schema::plugins().remove(0), &server.url(), &[], (record, back))
        .keeps(Datum::new(Schema::builder(Type::Int8).version(2).build().unwrap(), 7_i8))
        .check()
        .assert_clean();
}
