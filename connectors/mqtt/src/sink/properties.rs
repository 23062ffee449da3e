//! From headers to MQTT 5 properties.

use lavka_api::data::{Blob, Headers, Value};
use lavka_api::java::connect_text;
use lavka_api::{Error, Result};

use crate::message::Properties;

/// What begins the name of a header that is a user property.
const USER: &str = "mqtt.user.";

/// Which headers become properties.
#[derive(Clone, Debug, Default)]
pub(crate) struct PropertyRules {
    /// Whether the headers that the source makes of properties become these properties again.
    pub(crate) of_source: bool,
    /// Whether all other headers become user properties.
    pub(crate) all_others: bool,
    /// Names of headers that become user properties.
    pub(crate) names: Vec<String>,
}

impl PropertyRules {
    /// The properties of `headers`, none where there are none.
    ///
    /// # Errors
    /// A data error for a value that the property cannot have.
    pub(crate) fn properties(&self, headers: &Headers) -> Result<Option<Box<Properties>>> {
        let mut properties = Properties::default();
        for header in headers.iter() {
            let (name, value) = (header.key.as_str(), &header.datum.value);
            if value.is_null() {
                continue;
            }
            let wrong =
                |what: &str| Error::data(format!("the header {name} cannot be an MQTT property: {what}"));
            if self.of_source {
                match name {
                    "mqtt.content.type" => properties.content_type = Some(text(value, &wrong)?),
                    "mqtt.response.topic" => {
                        let topic = text(value, &wrong)?;
                        if topic.is_empty() || topic.contains(['+', '#', '\0']) {
                            return Err(wrong("it is no topic"));
                        }
                        properties.response_topic = Some(topic);
                    }
                    "mqtt.correlation.data" => {
                        properties.correlation_data = Some(match value {
                            Value::Bytes(bytes) => sized(bytes.clone(), &wrong)?,
                            other => text(other, &wrong)?.as_bytes().into(),
                        });
                    }
                    "mqtt.message.expiry.seconds" => {
                        let seconds = number(value).and_then(|number| u32::try_from(number).ok());
                        properties.message_expiry =
                            Some(seconds.ok_or_else(|| wrong("it is no number from 0 to 4294967295"))?);
                    }
                    "mqtt.payload.format" => {
                        let format = number(value).and_then(|number| u8::try_from(number).ok());
                        let format = format.filter(|format| *format <= 1);
                        properties.payload_format = Some(format.ok_or_else(|| wrong("it is not 0 or 1"))?);
                    }
                    // What the source says of its message, not of this one.
                    "mqtt.message.id" | "mqtt.qos" | "mqtt.retained" | "mqtt.duplicate" => {}
                    _ => match name.strip_prefix(USER) {
                        Some(user) => properties.user.push(user_property(user, value, &wrong)?),
                        None => self.other(name, value, &wrong, &mut properties)?,
                    },
                }
            } else {
                self.other(name, value, &wrong, &mut properties)?;
            }
        }
        Ok((properties != Properties::default()).then(|| Box::new(properties)))
    }

    fn other(
        &self,
        name: &str,
        value: &Value,
        wrong: &dyn Fn(&str) -> Error,
        properties: &mut Properties,
    ) -> Result<()> {
        if self.all_others || self.names.iter().any(|wanted| wanted == name) {
            properties.user.push(user_property(name, value, wrong)?);
        }
        Ok(())
    }
}

fn user_property(name: &str, value: &Value, wrong: &dyn Fn(&str) -> Error) -> Result<(String, String)> {
    if name.len() > usize::from(u16::MAX) || name.contains('\0') {
        return Err(wrong("its name is too long or has a null character"));
    }
    Ok((name.to_owned(), text(value, wrong)?))
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// MQTT's strings have at most 65535 bytes and no null characters.
fn text(value: &Value, wrong: &dyn Fn(&str) -> Error) -> Result<String> {
    let text = connect_text(value);
    if text.len() > usize::from(u16::MAX) {
        return Err(wrong("it is longer than 65535 bytes"));
    }
    if text.contains('\0') {
        return Err(wrong("it contains a null character"));
    }
    Ok(text)
}

fn sized(bytes: Blob, wrong: &dyn Fn(&str) -> Error) -> Result<Blob> {
    if bytes.len() > usize::from(u16::MAX) { Err(wrong("it is longer than 65535 bytes")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Datum;

    use super::*;

    fn headers(entries: &[(&str, Value)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in entries {
            headers.add(*name, Datum::schemaless(value.clone()));
        }
        headers
    }

    #[test]
    fn what_the_source_makes_of_properties_becomes_them_again() {
        let rules = PropertyRules { of_source: true, ..PropertyRules::default() };
        let all = headers(&[
            ("mqtt.qos", Value::Int32(1)),
            ("mqtt.content.type", "text/plain".into()),
            ("mqtt.response.topic", "r".into()),
            ("mqtt.correlation.data", Blob::from(&[1, 2]).into()),
            ("mqtt.message.expiry.seconds", Value::Int64(9)),
            ("mqtt.payload.format", Value::Int32(1)),
            ("mqtt.user.a", "1".into()),
            ("other", "x".into()),
        ]);
        let properties = rules.properties(&all).unwrap().unwrap();
        let expected = Properties {
            content_type: Some("text/plain".into()),
            response_topic: Some("r".into()),
            correlation_data: Some(Blob::from(&[1, 2])),
            message_expiry: Some(9),
            payload_format: Some(1),
            user: vec![("a".into(), "1".into())],
        };
        assert_eq!(*properties, expected);
    }

    #[test]
    fn other_headers_by_name_or_all() {
        let all = headers(&[("a", "1".into()), ("b", Value::Int32(2)), ("none", Value::Null)]);
        let named = PropertyRules { names: vec!["b".into()], ..PropertyRules::default() };
        let user =
            |rules: &PropertyRules| rules.properties(&all).unwrap().map(|properties| properties.user.clone());
        assert_eq!(user(&named), Some(vec![("b".into(), "2".into())]));
        let every = PropertyRules { all_others: true, ..PropertyRules::default() };
        assert_eq!(user(&every).map(|user| user.len()), Some(2));
        assert_eq!(user(&PropertyRules::default()), None);
    }

    #[test]
    fn values_that_a_property_cannot_have() {
        let rules = PropertyRules { of_source: true, all_others: true, ..PropertyRules::default() };
        for (name, value) in [
            ("mqtt.message.expiry.seconds", Value::Int64(-1)),
            ("mqtt.message.expiry.seconds", "soon".into()),
            ("mqtt.payload.format", Value::Int32(2)),
            ("mqtt.response.topic", "a/#".into()),
            ("mqtt.correlation.data", Blob::from(vec![0; 70_000]).into()),
            ("x", "a\0".into()),
            ("x", "a".repeat(70_000).into()),
            ("mqtt.user.a\0", "1".into()),
            (&format!("mqtt.user.{}", "a".repeat(70_000)), "1".into()),
            ("b\0", "1".into()),
        ] {
            let error = rules.properties(&headers(&[(name, value)])).unwrap_err();
            assert!(error.to_string().contains(&format!("the header {name} cannot be")), "{error}");
        }
    }
}
