//! Another implementation reads what is written here, and writes it the same.

use lavka_api::data::{Schema, Value};
use proptest::prelude::*;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{DescriptorProto, FileDescriptorProto};
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::trips::records;
use crate::MappingSettings;
use crate::encode::EncodePlan;
use crate::mapping::{Derived, derive};
use crate::schema::known_file;

fn without_options(message: &mut DescriptorProto) {
    message.options = None;
    message.field.iter_mut().for_each(|field| field.options = None);
    message.nested_type.iter_mut().for_each(without_options);
}

fn add(pool: &mut DescriptorPool, name: &str, text: &str) {
    if pool.get_file_by_name(name).is_some() {
        return;
    }
    let mut file: FileDescriptorProto = protox_parse::parse(name, text).unwrap();
    for import in &file.dependency {
        add(pool, import, known_file(import).unwrap().1);
    }
    file.options = None;
    file.message_type.iter_mut().for_each(without_options);
    pool.add_file_descriptor_proto(file).unwrap();
}

fn agrees(schema: &Schema, value: &Value, settings: &MappingSettings) {
    let derived: Derived = derive(schema, settings).unwrap();
    let mut bytes = Vec::new();
    EncodePlan::compile(schema, &derived, settings).unwrap().write(value, &mut bytes).unwrap();
    let plan = super::plan(&derived.text, &derived.message, settings).unwrap();
    let mut pool = DescriptorPool::new();
    add(&mut pool, "record.proto", &derived.text);
    let message = pool.get_message_by_name(&derived.message).unwrap();
    let read = DynamicMessage::decode(message, bytes.as_slice()).unwrap();
    assert!(read.unknown_fields().next().is_none());
    let again = read.encode_to_vec();
    if settings.wrapper_for_nullables {
        // In the wrapper of an unsigned number the Java client writes a signed one, which may take more bytes.
        assert_eq!(plan.read(&again).unwrap(), plan.read(&bytes).unwrap());
    } else {
        assert_eq!(again, bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_those_of_another_writer((schema, value) in records()) {
        // The other one takes a negative zero for the default, which has other bits.
        prop_assume!(!format!("{value:?}").contains("(-0.0)"));
        for settings in [
            MappingSettings::default(),
            MappingSettings { optional_for_nullables: true, ..MappingSettings::default() },
            MappingSettings { wrapper_for_nullables: true, ..MappingSettings::default() },
        ] {
            agrees(&schema, &value, &settings);
        }
    }
}
