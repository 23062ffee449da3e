//! Names of files by a template, as Aiven's sinks have them: `logs/{{topic}}-{{partition}}-{{start_offset}}.gz`.

use std::fmt::Write as _;

use lavka_api::Result;
use lavka_api::data::TopicPartition;

use crate::zone::{LocalTime, Zone};

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Topic,
    /// With ten digits at least.
    Partition {
        padded: bool,
    },
    /// With twenty digits at least.
    StartOffset {
        padded: bool,
    },
    Time(Unit),
    /// The day in UTC, as `2023-11-14`.
    Day,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Day,
    Hour,
}

/// Which variables a template may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variables {
    /// `file.name.template`: topic, partition and start_offset, which it has to have, and timestamp.
    Name,
    /// `aws.s3.prefix`: those, none of which it has to have, and utc_date. What is no variable stays as it is.
    Prefix,
}

/// What the variables stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    /// The first offset since the last commit.
    pub(crate) start_offset: i64,
    /// In epoch milliseconds.
    pub(crate) time: i64,
    pub(crate) zone: &'a Zone,
}

impl NameTemplate {
    /// Compiles `text`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str, variables: Variables) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (inside, after) = behind.split_once("}}").ok_or("a {{ has no }}")?;
            parts.push(Part::Text(before.to_owned()));
            match part(inside, variables)? {
                Some(part) => parts.push(part),
                None => parts.push(Part::Text(format!("{{{{{inside}}}}}"))),
            }
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        let has = |wanted: fn(&Part) -> bool| parts.iter().any(wanted);
        let complete = has(|part| matches!(part, Part::Topic))
            && has(|part| matches!(part, Part::Partition { .. }))
            && has(|part| matches!(part, Part::StartOffset { .. }));
        if variables == Variables::Name && !complete {
            return Err("it has to have the variables topic, partition and start_offset (and may have timestamp), so that \
                        no two files get the same name"
                .into());
        }
        Ok(Self(parts))
    }

    /// This template with another behind it.
    pub(crate) fn followed_by(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether names differ by time.
    pub(crate) fn has_time(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Time(_) | Part::Day))
    }

    /// Appends the name.
    ///
    /// # Errors
    /// A data error where the time is out of range.
    pub(crate) fn render(&self, binding: &Binding<'_>, out: &mut String) -> Result<()> {
        let mut local: Option<LocalTime> = None;
        for part in &self.0 {
            // Writing to a String cannot fail.
            let _ = match part {
                Part::Text(text) => write!(out, "{text}"),
                Part::Topic => write!(out, "{}", binding.topic),
                Part::Partition { padded: true } => write!(out, "{:010}", binding.partition),
                Part::Partition { padded: false } => write!(out, "{}", binding.partition),
                Part::StartOffset { padded: true } => write!(out, "{:020}", binding.start_offset),
                Part::StartOffset { padded: false } => write!(out, "{}", binding.start_offset),
                Part::Time(unit) => {
                    let local = match &mut local {
                        Some(local) => local,
                        none => none.insert(binding.zone.local_time(binding.time)?),
                    };
                    match unit {
                        Unit::Year => write!(out, "{:04}", local.civil.year()),
                        Unit::Month => write!(out, "{:02}", local.civil.month()),
                        Unit::Day => write!(out, "{:02}", local.civil.day()),
                        Unit::Hour => write!(out, "{:02}", local.civil.hour()),
                    }
                }
                Part::Day => write!(out, "{}", Zone::UTC.local_time(binding.time)?.civil.date()),
            };
        }
        Ok(())
    }

    /// The longest name that files of `tp` get, but for years beyond 9999.
    pub(crate) fn longest(&self, tp: &TopicPartition) -> Result<String> {
        let mut name = String::new();
        let (topic, partition) = (&*tp.topic, tp.partition);
        self.render(
            &Binding { topic, partition, start_offset: i64::MAX, time: 0, zone: &Zone::UTC },
            &mut name,
        )?;
        Ok(name)
    }
}

/// The variable that stands between braces; `None` for text that looks like one.
fn part(inside: &str, variables: Variables) -> Result<Option<Part>, String> {
    let (name, parameter) = match inside.trim().split_once(':') {
        Some((name, parameter)) => (name, Some(parameter.trim())),
        None => (inside.trim(), None),
    };
    let padded = || match parameter {
        None | Some("padding=false") => Ok(false),
        Some("padding=true") => Ok(true),
        Some(other) => Err(format!("{name} takes padding=true or padding=false, not {other}")),
    };
    Ok(Some(match (name, variables) {
        ("topic", _) if parameter.is_none() => Part::Topic,
        ("partition", _) => Part::Partition { padded: padded()? },
        ("start_offset", _) => Part::StartOffset { padded: padded()? },
        ("timestamp", _) => Part::Time(match parameter {
            // The name that the unit once had.
            Some("unit=yyyy" | "unit=YYYY") => Unit::Year,
            Some("unit=MM") => Unit::Month,
            Some("unit=dd") => Unit::Day,
            Some("unit=HH") => Unit::Hour,
            _ => return Err("timestamp takes one of unit=yyyy, unit=MM, unit=dd and unit=HH".into()),
        }),
        ("utc_date", Variables::Prefix) => Part::Day,
        ("local_date", Variables::Prefix) => {
            return Err(
                "local_date depends on the machine; use timestamp with its units and a time zone".into()
            );
        }
        ("key", Variables::Name) => {
            return Err(
                "files by key, of which each flush replaces those before, are not in this build; use topic, \
                        partition and start_offset"
                    .into(),
            );
        }
        (_, Variables::Prefix) => return Ok(None),
        _ => {
            return Err(format!(
                "there is no variable {name}; use topic, partition, start_offset and timestamp"
            ));
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, variables: Variables) -> String {
        let zone = Zone::parse("+02:00").unwrap();
        let binding =
            Binding { topic: "t", partition: 3, start_offset: 17, time: 1_700_000_000_000, zone: &zone };
        let mut name = String::new();
        NameTemplate::parse(text, variables).unwrap().render(&binding, &mut name).unwrap();
        name
    }

    #[test]
    fn variables_are_replaced() {
        for (text, want) in [
            ("{{topic}}-{{partition}}-{{start_offset}}", "t-3-17"),
            (
                "{{ topic }}/{{partition:padding=true}}/{{start_offset:padding=true}}.gz",
                "t/0000000003/00000000000000000017.gz",
            ),
            (
                "y={{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}-{{ timestamp:unit=dd }}T{{timestamp:unit=HH}}/{{topic}}{{partition}}_{{start_offset:padding=false}}",
                "y=2023/11-15T00/t3_17",
            ),
        ] {
            assert_eq!(rendered(text, Variables::Name), want);
        }
        assert_eq!(rendered("a/{{utc_date}}/{{other}}/", Variables::Prefix), "a/2023-11-14/{{other}}/");
        assert_eq!(rendered("", Variables::Prefix), "");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, want) in [
            ("{{topic}}-{{partition}}", "start_offset"),
            ("{{key}}", "files by key"),
            ("{{topic}}{{partition}}{{start_offset}}{{nothing}}", "no variable nothing"),
            ("{{topic}}{{partition}}{{start_offset}}{{timestamp}}", "unit=yyyy"),
            ("{{topic}}{{partition:pad=1}}{{start_offset}}", "padding=true"),
            ("{{topic", "no }}"),
        ] {
            let error = NameTemplate::parse(text, Variables::Name).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
        assert!(NameTemplate::parse("{{local_date}}", Variables::Prefix).is_err());
    }
}
