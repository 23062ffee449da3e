//! `ByLogicalTableRouter`: sends the change events of many tables to one topic, and tells their keys apart.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{Datum, Record, Schema, Str, Struct, Topic, Type, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::nulls::NullRules;
use crate::operand::{not_a_struct, rebuild_struct};
use crate::plan::{PlanKey, Plans, SCHEMAS};
use crate::regex::{JavaRegex, valid_regex};
use crate::topics::TopicMemory;

use super::is_envelope;
use super::schema_names::Adjustment;

const PURPOSE: &str = "Updating schema";

lavka_api::config! {
    /// Keys of `ByLogicalTableRouter`.
    pub(super) struct ByLogicalTableRouterConfig {
        topic_regex: String = key("topic.regex").low().check(Check::non_empty()).check(valid_regex())
            .doc("Java regular expression. Records whose whole topic matches it are routed."),
        topic_replacement: String = key("topic.replacement").low().check(Check::non_empty())
            .doc("The new topic; $1 or ${name} stand for what a group of topic.regex matched."),
        key_unique: bool = key("key.enforce.uniqueness").default(true).low()
            .doc("Whether keys get a field that says which table they are from, for keys of two tables may be equal."),
        key_field: String = key("key.field.name").default("__dbz__physicalTableIdentifier").low()
            .doc("Name of that field."),
        key_regex: String = key("key.field.regex").default("").low().check(valid_regex())
            .doc("Java regular expression that takes the field's value out of the topic; without it the topic is the \
                  value."),
        key_replacement: String = key("key.field.replacement").default("").low()
            .doc("The field's value; $1 or ${name} stand for what a group of key.field.regex matched."),
        adjustment: String = key("schema.name.adjustment.mode").default("none").check(Check::one_of_ignoring_case(Adjustment::NAMES))
            .doc("How the new topic is changed where it becomes the name of a schema: none, avro or avro_unicode."),
    }
}

/// A schema and the topic that its records go to.
#[derive(Clone, PartialEq)]
struct Routed(Schema, Topic);

impl PlanKey for Routed {
    fn same(&self, other: &Self) -> bool {
        Schema::same(&self.0, &other.0) && self.1 == other.1
    }
}

struct KeyPlan {
    schema: Schema,
    nulls: NullRules,
}

struct EnvelopePlan {
    schema: Schema,
    row: Schema,
    /// Places of `before` and `after`.
    rows: Vec<usize>,
    nulls: NullRules,
    row_nulls: NullRules,
}

/// Where the records of a topic go.
#[derive(Clone)]
struct Route {
    topic: Topic,
    /// The value of the key's field.
    table: Str,
}

pub(super) struct ByLogicalTableRouter {
    topic_regex: JavaRegex,
    topic_replacement: String,
    key_field: Option<Str>,
    key_regex: Option<(JavaRegex, String)>,
    adjustment: Adjustment,
    routes: TopicMemory<Result<Option<Route>>>,
    keys: Plans<Routed, KeyPlan>,
    envelopes: Plans<Routed, EnvelopePlan>,
}

impl ByLogicalTableRouter {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let config = ByLogicalTableRouterConfig::from_config(config)?;
        if !config.key_regex.is_empty() && config.key_replacement.is_empty() {
            return Err(Error::invalid_value(
                "key.field.replacement",
                "",
                "key.field.replacement must be non-empty if key.field.regex is set.",
            ));
        }
        let compile = |regex: &str| JavaRegex::compile(regex).map_err(Error::config);
        let key_regex = (!config.key_regex.is_empty()).then(|| compile(&config.key_regex)).transpose()?;
        Ok(Self {
            topic_regex: compile(&config.topic_regex)?,
            topic_replacement: config.topic_replacement,
            key_field: config.key_unique.then(|| config.key_field.into()),
            key_regex: key_regex.map(|regex| (regex, config.key_replacement)),
            adjustment: Adjustment::by_name(&config.adjustment),
            routes: TopicMemory::new(),
            keys: Plans::new(SCHEMAS),
            envelopes: Plans::new(SCHEMAS),
        })
    }

    /// Where `topic` goes; `None` where it stays.
    fn route(&mut self, topic: &Topic) -> Result<Option<Route>> {
        let Self { topic_regex, topic_replacement, key_regex, routes, .. } = self;
        let outcome = routes.get(topic, |topic| {
            if !topic_regex.matches(topic)? {
                return Ok(None);
            }
            let routed = topic_regex.replace_first(topic, topic_replacement)?;
            if routed.is_empty() {
                return Ok(None);
            }
            let table = match key_regex {
                Some((regex, replacement)) if regex.matches(topic)? => {
                    regex.replace_first(topic, replacement)?
                }
                _ => topic.to_owned(),
            };
            Ok(Some(Route { topic: routed.into(), table: table.into() }))
        });
        outcome.clone()
    }
}

fn compile_key(
    schema: &Schema,
    topic: &Topic,
    field: Option<&Str>,
    adjustment: Adjustment,
) -> Result<KeyPlan> {
    let nulls = NullRules::copying(schema, false);
    let mut builder = schema.to_builder().default_value(None).name(adjustment.adjust(format!("{topic}.Key")));
    if let Some(field) = field {
        builder = builder.field(field.clone(), Schema::of(Type::String));
    }
    Ok(KeyPlan { schema: builder.build()?, nulls })
}

fn compile_envelope(schema: &Schema, topic: &Topic, adjustment: Adjustment) -> Result<EnvelopePlan> {
    let before = schema.field("before").map(|field| field.schema());
    let Some(before) = before.filter(|schema| schema.ty() == Type::Struct) else {
        return Err(Error::data(format!(
            "the schema {schema} is that of a change event by its name, but has no struct before"
        )));
    };
    let name = |suffix: &str| adjustment.adjust(format!("{topic}.{suffix}"));
    let row = before.to_builder().default_value(None).name(name("Value")).build()?;
    let mut builder =
        Schema::structure().basics_of(schema).name(name("Envelope")).optional_if(schema.is_optional());
    let mut rows = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        let is_row = matches!(field.name().as_str(), "before" | "after");
        if is_row {
            rows.push(at);
        }
        builder =
            builder.field(field.name().clone(), if is_row { row.clone() } else { field.schema().clone() });
    }
    // Debezium takes defaults for nulls of the envelope alone.
    let row_nulls = NullRules::copying(before, false);
    Ok(EnvelopePlan {
        schema: builder.build()?,
        row,
        rows,
        nulls: NullRules::copying(schema, true),
        row_nulls,
    })
}

impl EnvelopePlan {
    fn check(&self, envelope: &Struct) -> Result<()> {
        self.nulls.check(envelope.values())?;
        for row in self.rows.iter().filter_map(|&at| envelope.values().get(at)) {
            match row {
                Value::Null => {}
                Value::Struct(row) if row.values().len() == self.row.fields().len() => {
                    self.row_nulls.check(row.values())?;
                }
                Value::Struct(_) => {
                    return Err(Error::data("before and after of a change event have different fields"));
                }
                other => return Err(not_a_struct(other, PURPOSE)),
            }
        }
        Ok(())
    }

    fn rebuild(&self, values: &mut [Value]) {
        self.nulls.fill(values);
        for at in &self.rows {
            if let Some(slot) = values.get_mut(*at)
                && let Value::Struct(row) = slot.take()
            {
                let mut fields = row.into_values();
                self.row_nulls.fill(&mut fields);
                // The number of fields was checked before.
                *slot = Struct::new(self.row.clone(), fields).map_or(Value::Null, Value::from);
            }
        }
    }
}

impl Transform for ByLogicalTableRouter {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Some(route) = self.route(&record.topic)? else { return Ok(Verdict::Keep) };
        let Self { key_field, adjustment, keys, envelopes, .. } = self;
        let key_plan = match &record.key.value {
            Value::Null => None,
            Value::Struct(key) => {
                let plan = keys
                    .get(&Routed(key.schema().clone(), route.topic.clone()), |Routed(schema, topic)| {
                        compile_key(schema, topic, key_field.as_ref(), *adjustment)
                    })?;
                plan.nulls.check(key.values())?;
                Some(plan)
            }
            other => return Err(not_a_struct(other, PURPOSE)),
        };
        let envelope_plan = match &record.value.value {
            Value::Struct(envelope) if is_envelope(&record.value) => {
                let plan = envelopes.get(
                    &Routed(envelope.schema().clone(), route.topic.clone()),
                    |Routed(schema, topic)| compile_envelope(schema, topic, *adjustment),
                )?;
                plan.check(envelope)?;
                Some(plan)
            }
            _ => None,
        };
        match key_plan {
            Some(plan) => rebuild_struct(&mut record.key, &plan.schema, |mut values| {
                plan.nulls.fill(&mut values);
                let mut values = values.into_vec();
                values.extend(key_field.is_some().then(|| Value::from(route.table)));
                values.into_boxed_slice()
            })?,
            None => record.key = Datum::NULL,
        }
        if let Some(plan) = envelope_plan {
            rebuild_struct(&mut record.value, &plan.schema, |mut values| {
                plan.rebuild(&mut values);
                values
            })?;
        }
        record.topic = route.topic;
        Ok(Verdict::Keep)
    }
}
