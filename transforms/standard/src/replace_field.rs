//! `ReplaceField`: leaves fields out and renames fields.

use lavka_api::config::{Check, Config, ConfigSpec, ConfigType, key};
use lavka_api::data::{Datum, Record, Schema, Shape, ShapeTable, Str, Struct, Value, validate};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::names::valid_names;
use crate::nulls::{NullRules, replace_null_with_default};
use crate::operand::{
    Side, map_put, not_a_map, not_a_string_key, not_a_struct, rebuild_map, rebuild_object, rebuild_struct,
};
use crate::plan::{Plans, SCHEMAS, SHAPES, TRANSITIONS};

const PURPOSE: &str = "field replacement";

lavka_api::config! {
    /// Keys of `ReplaceField`.
    pub(crate) struct ReplaceFieldConfig {
        exclude: Vec<String> = key("exclude").default("").check(valid_names(true))
            .doc("Fields to leave out, even where include names them."),
        include: Vec<String> = key("include").default("").check(valid_names(true))
            .doc("Fields to keep; where none is named, all are kept."),
        renames: Vec<String> = key("renames").default("")
            .check(Check::new("list of old:new", |text| {
                Renames::parse(&Vec::<String>::parse(text)?).map(drop)
            }))
            .doc("New names for fields as old:new. exclude and include go by the old names."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

/// Old and new names; of two new names for one old name the last counts.
struct Renames(Vec<(String, String)>);

impl Renames {
    /// Reads `old:new` items. Colons at the end are not looked at, as Java's `split` does not.
    fn parse(items: &[String]) -> Result<Self, String> {
        let mut renames: Vec<(String, String)> = Vec::with_capacity(items.len());
        for item in items {
            match item.trim_end_matches(':').split_once(':') {
                Some((old, new)) if !new.contains(':') => {
                    renames.retain(|(known, _)| known != old);
                    renames.push((old.to_owned(), new.to_owned()));
                }
                _ => return Err(format!("Invalid rename mapping: {item}")),
            }
        }
        Ok(Self(renames))
    }

    fn renamed<'a>(&'a self, old: &'a str) -> &'a str {
        self.0.iter().find(|(known, _)| known == old).map_or(old, |(_, new)| new)
    }

    /// The field of `schema` that is read for the field `new`. Like Connect this looks names up backwards: a new name
    /// stands for its old name even where the field of that name did not come from renaming.
    fn source<'a>(&'a self, new: &'a str, schema: &Schema) -> &'a str {
        let mut candidates = self.0.iter().rev().filter(|(_, name)| name == new).map(|(old, _)| old.as_str());
        let last = candidates.clone().next();
        candidates.find(|old| schema.index_of(old).is_some()).or(last).unwrap_or(new)
    }
}

struct Fields {
    exclude: Vec<String>,
    include: Vec<String>,
    renames: Renames,
    replace_nulls: bool,
}

impl Fields {
    fn keeps(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|item| item == name);
        !named(&self.exclude) && (self.include.is_empty() || named(&self.include))
    }

    fn compile_struct(&self, schema: &Schema) -> Result<StructPlan> {
        let mut builder = Schema::structure().basics_of(schema);
        for field in schema.fields().iter().filter(|field| self.keeps(field.name())) {
            builder = builder.field(self.renames.renamed(field.name()), field.schema().clone());
        }
        let target = builder.build()?;
        let mut plan = StructPlan {
            moves: Moves(Vec::with_capacity(target.fields().len())),
            nulls: NullRules::new(),
            misfits: Vec::new(),
            schema: target.clone(),
        };
        for field in target.fields() {
            let name = self.renames.source(field.name(), schema);
            let Some((at, source)) =
                schema.index_of(name).and_then(|at| Some((at, schema.fields().get(at)?)))
            else {
                return Err(Error::data(format!("{name} is not a valid field name")));
            };
            let default = source.schema().default_value().filter(|_| self.replace_nulls);
            plan.nulls.add(at, default, field.name(), field.schema());
            if source.schema() != field.schema() {
                plan.misfits.push((
                    at,
                    source.schema().clone(),
                    field.name().clone(),
                    field.schema().clone(),
                ));
            }
            plan.moves.0.push(at);
        }
        Ok(plan)
    }

    fn compile_object(&self, shape: &Shape, shapes: &mut ShapeTable) -> ObjectPlan {
        let mut keys: Vec<&str> = Vec::with_capacity(shape.len());
        let mut moves = Vec::with_capacity(shape.len());
        for (at, key) in shape.keys().iter().enumerate().filter(|(_, key)| self.keeps(key)) {
            let name = self.renames.renamed(key);
            match keys.iter().position(|known| *known == name) {
                Some(place) => moves[place] = at,
                None => {
                    keys.push(name);
                    moves.push(at);
                }
            }
        }
        ObjectPlan { shape: shapes.intern(keys), moves: Moves(moves) }
    }
}

/// For each value of the result, where it comes from; no place twice.
struct Moves(Vec<usize>);

impl Moves {
    fn run(&self, mut values: Vec<Value>) -> Vec<Value> {
        if !self.0.is_sorted() {
            return self
                .0
                .iter()
                .map(|&at| values.get_mut(at).map(Value::take).unwrap_or_default())
                .collect();
        }
        // Values that keep their order move up in place.
        for (place, &at) in self.0.iter().enumerate().filter(|(place, at)| place != *at) {
            values.swap(place, at);
        }
        values.truncate(self.0.len());
        values
    }
}

struct StructPlan {
    schema: Schema,
    moves: Moves,
    nulls: NullRules,
    /// Values that go into a field of another schema, which has to be tried: place, own schema, field and its schema.
    misfits: Vec<(usize, Schema, Str, Schema)>,
}

impl StructPlan {
    fn check(&self, value: &Struct) -> Result<()> {
        self.nulls.check(value.values())?;
        for (at, own, name, schema) in &self.misfits {
            if let Some(value) = value.values().get(*at) {
                validate(Some(name), schema, own.or_default(value))?;
            }
        }
        Ok(())
    }
}

struct ObjectPlan {
    shape: Shape,
    moves: Moves,
}

pub(crate) struct ReplaceField {
    side: Side,
    fields: Fields,
    structs: Plans<Schema, StructPlan>,
    objects: Plans<Shape, ObjectPlan>,
    shapes: ShapeTable,
}

impl ReplaceField {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let config = ReplaceFieldConfig::from_config(config)?;
        let fields = Fields {
            renames: Renames::parse(&config.renames).map_err(Error::config)?,
            exclude: config.exclude,
            include: config.include,
            replace_nulls: config.replace_null_with_default,
        };
        Ok(Self {
            side,
            fields,
            structs: Plans::new(SCHEMAS),
            objects: Plans::new(SHAPES),
            shapes: ShapeTable::new(TRANSITIONS),
        })
    }
}

impl Transform for ReplaceField {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { side, fields, structs, objects, shapes } = self;
        let operand: &mut Datum = side.of(record);
        match (&operand.schema, &operand.value) {
            (_, Value::Null) => {}
            (Some(_), Value::Struct(value)) => {
                let plan = structs.get(value.schema(), |schema| fields.compile_struct(schema))?;
                plan.check(value)?;
                rebuild_struct(operand, &plan.schema, |mut values| {
                    plan.nulls.fill(&mut values);
                    plan.moves.run(values.into_vec()).into_boxed_slice()
                })?;
            }
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
            (None, Value::Object(object)) => {
                let plan = objects.get(object.shape(), |shape| Ok(fields.compile_object(shape, shapes)))?;
                rebuild_object(operand, &plan.shape, |values| plan.moves.run(values));
            }
            (None, Value::Map(entries)) => {
                if let Some((key, _)) = entries.iter().find(|(key, _)| key.as_str().is_none()) {
                    return Err(not_a_string_key(key));
                }
                rebuild_map(operand, |entries| {
                    let mut kept = Vec::with_capacity(entries.len());
                    for (key, value) in entries {
                        let name = key.as_str().unwrap_or_default();
                        if fields.keeps(name) {
                            map_put(&mut kept, &fields.renames.renamed(name).into(), value);
                        }
                    }
                    kept
                });
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_are_read_as_java_splits_them() {
        let parse = |item: &str| Renames::parse(&[item.to_owned()]).map(|renames| renames.0);
        for item in ["abc", "abc:", "a:b:c", "::", ""] {
            assert_eq!(parse(item).unwrap_err(), format!("Invalid rename mapping: {item}"));
        }
        for (item, old, new) in [(":b", "", "b"), ("a:b:", "a", "b"), ("a : b", "a ", " b")] {
            assert_eq!(parse(item), Ok(vec![(old.to_owned(), new.to_owned())]));
        }
    }
}
