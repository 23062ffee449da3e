//! What a table of the metastore looks like, as the HDFS sink makes them: external, over the directory of its topic.

use lavka_api::Result;
use lavka_api::data::{Schema, Type};
use lavka_api::error::Error;
use lavka_avro::Mapping;

use super::thrift::{Fields, Thrift};
use super::types::hive_type;

/// The numbers of fields in `hive_metastore.thrift`.
mod table_field {
    pub(super) const NAME: i16 = 1;
    pub(super) const DATABASE: i16 = 2;
    pub(super) const OWNER: i16 = 3;
    pub(super) const STORAGE: i16 = 7;
    pub(super) const PARTITION_KEYS: i16 = 8;
    pub(super) const PARAMETERS: i16 = 9;
    pub(super) const KIND: i16 = 12;
}
mod storage {
    pub(super) const COLUMNS: i16 = 1;
    pub(super) const LOCATION: i16 = 2;
    pub(super) const INPUT: i16 = 3;
    pub(super) const OUTPUT: i16 = 4;
    pub(super) const BUCKETS: i16 = 6;
    pub(super) const SERDE: i16 = 7;
    pub(super) const BUCKET_COLUMNS: i16 = 8;
    pub(super) const SORT_COLUMNS: i16 = 9;
    pub(super) const PARAMETERS: i16 = 10;
}

/// Key of a table's parameters with the schema of its Avro files.
const AVRO_SCHEMA: &str = "avro.schema.literal";

/// What the files of a table are.
#[derive(Debug, Clone)]
pub(crate) enum TableFormat {
    Avro(Mapping),
    Parquet,
    Orc,
}

impl TableFormat {
    /// Reader of rows, of files, and writer of files, by class.
    fn classes(&self) -> [&'static str; 3] {
        match self {
            TableFormat::Avro(_) => [
                "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
                "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
                "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
            ],
            TableFormat::Parquet => [
                "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            ],
            TableFormat::Orc => [
                "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
                "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
                "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
            ],
        }
    }
}

/// What all tables of a sink have in common.
#[derive(Debug, Clone)]
pub(crate) struct TableForm {
    pub(crate) database: String,
    pub(crate) format: TableFormat,
    /// The names in the directories of partitions: `year`, `month`.
    pub(crate) partition_columns: Vec<String>,
}

impl TableForm {
    /// A new table `name` over the files below `location`, whose records have `schema`.
    ///
    /// # Errors
    /// A config error where the schema makes no table.
    pub(crate) fn create(&self, name: &str, location: &str, schema: &Schema) -> Result<Fields> {
        let [serde, input, output] = self.format.classes();
        let serde = Fields::new([(2, serde.into()), (3, Thrift::texts([("serialization.format", "1")]))]);
        let empty = || Thrift::structs([]);
        let storage = Fields::new([
            (storage::COLUMNS, Thrift::structs(self.columns(schema)?)),
            (storage::LOCATION, location.into()),
            (storage::INPUT, input.into()),
            (storage::OUTPUT, output.into()),
            (storage::BUCKETS, Thrift::I32(-1)),
            (storage::SERDE, Thrift::Struct(serde)),
            (storage::BUCKET_COLUMNS, Thrift::List(super::thrift::ty::TEXT, Vec::new())),
            (storage::SORT_COLUMNS, empty()),
            (storage::PARAMETERS, Thrift::texts([])),
        ]);
        let keys = self.partition_columns.iter().map(|name| column(name, "string"));
        let avro = self.avro_schema(schema)?;
        let parameters =
            [("EXTERNAL", "TRUE")].into_iter().chain(avro.as_deref().map(|text| (AVRO_SCHEMA, text)));
        Ok(Fields::new([
            (table_field::NAME, name.into()),
            (table_field::DATABASE, self.database.as_str().into()),
            (table_field::OWNER, "lavka".into()),
            (table_field::STORAGE, Thrift::Struct(storage)),
            (table_field::PARTITION_KEYS, Thrift::structs(keys)),
            (table_field::PARAMETERS, Thrift::texts(parameters)),
            (table_field::KIND, "EXTERNAL_TABLE".into()),
        ]))
    }

    /// `old` for records of `schema`, with everything else as it is; `None` where it fits already.
    ///
    /// # Errors
    /// A config error where the schema makes no table, or the table has other partitions.
    pub(crate) fn alter(&self, mut old: Fields, schema: &Schema) -> Result<Option<Fields>> {
        let name = old.text(table_field::NAME).unwrap_or_default();
        let keys: Vec<String> = old.list(table_field::PARTITION_KEYS).iter().filter_map(name_of).collect();
        if !keys
            .iter()
            .map(|key| key.to_lowercase())
            .eq(self.partition_columns.iter().map(|key| key.to_lowercase()))
        {
            return Err(Error::config(format!(
                "the table {}.{name} is partitioned by ({}), the files by ({}); give hive.table.name another value or \
                 the partitioner the table's fields",
                self.database,
                keys.join(", "),
                self.partition_columns.join(", ")
            )));
        }
        let columns = self.columns(schema)?;
        let avro = self.avro_schema(schema)?;
        let mut storage = old.fields(table_field::STORAGE).cloned().unwrap_or_default();
        let has_columns =
            storage.list(storage::COLUMNS).iter().filter_map(pair_of).eq(columns.iter().filter_map(pair));
        let mut parameters = match old.get(table_field::PARAMETERS) {
            Some(Thrift::Map(_, _, entries)) => entries.clone(),
            _ => Vec::new(),
        };
        let key = Thrift::from(AVRO_SCHEMA);
        let known = parameters.iter_mut().find(|(known, _)| *known == key);
        let has_schema = match (&avro, known) {
            (None, _) => true,
            (Some(avro), Some((_, old))) => {
                let same = *old == avro.as_str().into();
                *old = avro.as_str().into();
                same
            }
            (Some(avro), None) => {
                parameters.push((key, avro.as_str().into()));
                false
            }
        };
        if has_columns && has_schema {
            return Ok(None);
        }
        storage.set(storage::COLUMNS, Thrift::structs(columns));
        old.set(table_field::STORAGE, Thrift::Struct(storage));
        let text = super::thrift::ty::TEXT;
        old.set(table_field::PARAMETERS, Thrift::Map(text, text, parameters));
        Ok(Some(old))
    }

    /// The partition of `table` for the directory `location`, whose last part is `partition` (`year=2015/month=04`);
    /// `None` where that has other names. The location is told, because the metastore would escape characters that the
    /// sink writes as they are.
    pub(crate) fn partition(&self, table: &Fields, partition: &str, location: &str) -> Option<Fields> {
        let parts: Vec<&str> = partition.split('/').collect();
        if parts.len() != self.partition_columns.len() {
            return None;
        }
        let value = |(part, column): (&&str, &String)| {
            part.strip_prefix(column.as_str())?.strip_prefix('=').map(Thrift::from)
        };
        let values: Vec<Thrift> =
            parts.iter().zip(&self.partition_columns).map(value).collect::<Option<_>>()?;
        let mut storage = table.fields(table_field::STORAGE)?.clone();
        storage.set(storage::LOCATION, location.into());
        Some(Fields::new([
            (1, Thrift::List(super::thrift::ty::TEXT, values)),
            (2, table.text(table_field::DATABASE)?.as_str().into()),
            (3, table.text(table_field::NAME)?.as_str().into()),
            (6, Thrift::Struct(storage)),
            (7, Thrift::texts([])),
        ]))
    }

    /// The columns of records, without those that the directories have.
    fn columns(&self, schema: &Schema) -> Result<Vec<Fields>> {
        if schema.ty() != Type::Struct {
            return Err(Error::config(format!(
                "a table of Hive has columns, so its records are structs, not {schema}"
            )));
        }
        schema
            .fields()
            .iter()
            .filter(|field| {
                !self.partition_columns.iter().any(|name| name.eq_ignore_ascii_case(field.name()))
            })
            .map(|field| Ok(column(field.name(), &hive_type(field.schema())?)))
            .collect()
    }

    fn avro_schema(&self, schema: &Schema) -> Result<Option<String>> {
        match &self.format {
            TableFormat::Avro(mapping) => Ok(Some(mapping.to_avro(Some(schema))?.to_string())),
            TableFormat::Parquet | TableFormat::Orc => Ok(None),
        }
    }
}

/// A column (`FieldSchema`). The metastore has all names in small letters.
fn column(name: &str, ty: &str) -> Fields {
    Fields::new([(1, name.to_lowercase().as_str().into()), (2, ty.into()), (3, "".into())])
}

fn pair(column: &Fields) -> Option<(String, String)> {
    Some((column.text(1)?, column.text(2)?))
}

fn pair_of(column: &Thrift) -> Option<(String, String)> {
    match column {
        Thrift::Struct(fields) => pair(fields),
        _ => None,
    }
}

fn name_of(column: &Thrift) -> Option<String> {
    pair_of(column).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(format: TableFormat) -> TableForm {
        let columns = ["year", "Device"].map(str::to_owned).to_vec();
        TableForm { database: "default".into(), format, partition_columns: columns }
    }

    fn schema(fields: &[(&str, Type)]) -> Schema {
        let schema = Schema::structure().name("Reading");
        fields.iter().fold(schema, |schema, (name, ty)| schema.field(*name, Schema::of(*ty))).build().unwrap()
    }

    fn columns(table: &Fields) -> Vec<(String, String)> {
        table
            .fields(table_field::STORAGE)
            .unwrap()
            .list(storage::COLUMNS)
            .iter()
            .filter_map(pair_of)
            .collect()
    }

    #[test]
    fn a_new_table_has_the_fields_that_directories_do_not_have() {
        let schema = schema(&[("Id", Type::Int64), ("device", Type::String), ("t", Type::Float64)]);
        let table =
            form(TableFormat::Parquet).create("readings", "hdfs://nn/topics/readings", &schema).unwrap();
        assert_eq!(columns(&table), [("id".into(), "bigint".into()), ("t".into(), "double".into())]);
        let keys: Vec<String> = table.list(table_field::PARTITION_KEYS).iter().filter_map(name_of).collect();
        assert_eq!(keys, ["year", "device"]);
        assert_eq!(table.text(table_field::KIND).unwrap(), "EXTERNAL_TABLE");
        assert!(form(TableFormat::Parquet).create("x", "", &Schema::of(Type::String)).is_err());
    }

    #[test]
    fn a_table_is_altered_only_where_it_differs_and_keeps_the_rest() {
        for format in [TableFormat::Parquet, TableFormat::Orc, TableFormat::Avro(Mapping::default())] {
            let form = form(format);
            let old = schema(&[("id", Type::Int64)]);
            let mut table = form.create("readings", "/x", &old).unwrap();
            table.set(99, Thrift::I64(5));
            assert_eq!(form.alter(table.clone(), &old).unwrap(), None);
            let new = schema(&[("id", Type::Int64), ("more", Type::Boolean)]);
            let altered = form.alter(table, &new).unwrap().unwrap();
            assert_eq!(columns(&altered)[1], ("more".into(), "boolean".into()));
            assert_eq!(altered.get(99), Some(&Thrift::I64(5)));
            assert_eq!(form.alter(altered, &new).unwrap(), None);
        }
    }

    #[test]
    fn directories_make_partitions_where_their_names_are_the_tables() {
        let form = form(TableFormat::Parquet);
        let table = form.create("readings", "/x", &schema(&[("id", Type::Int64)])).unwrap();
        let partition =
            form.partition(&table, "year=2015/Device=a:b=c", "/x/year=2015/Device=a:b=c").unwrap();
        assert_eq!(partition.list(1), ["2015".into(), "a:b=c".into()]);
        assert_eq!(
            partition.fields(6).unwrap().text(storage::LOCATION).unwrap(),
            "/x/year=2015/Device=a:b=c"
        );
        for other in ["year=2015", "year=2015/month=1", "year=2015/Device=a/b", "2015/a"] {
            assert_eq!(form.partition(&table, other, ""), None, "{other}");
        }
    }

    #[test]
    fn a_table_with_other_partitions_is_named() {
        let schema = schema(&[("id", Type::Int64)]);
        let other = TableForm { partition_columns: vec!["day".into()], ..form(TableFormat::Parquet) };
        let table = other.create("readings", "/x", &schema).unwrap();
        let error = form(TableFormat::Parquet).alter(table, &schema).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("default.readings is partitioned by (day), the files by (year, Device)")
        );
    }
}
