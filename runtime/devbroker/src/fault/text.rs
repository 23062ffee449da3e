//! Faults as texts: `name:key=value,key=value`.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use kafka_protocol::{ResponseError, messages::ApiKey};

use super::{Fault, Requests, UnknownFault};
use crate::wire;

const NAMES: &str = "drop, cut, delay, error, move-coordinator, full-disk, unclean-election";
/// Kafka's error codes so far are below.
const MOST_CODES: i16 = 1000;

/// The keys of one fault that nobody has asked for yet.
struct Settings<'a> {
    fault: &'a str,
    left: BTreeMap<&'a str, &'a str>,
}

impl<'a> Settings<'a> {
    fn read(fault: &'a str, text: &'a str) -> Result<Self, UnknownFault> {
        let mut left = BTreeMap::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| UnknownFault(format!("fault {fault}: {part} should be KEY=VALUE")))?;
            if left.insert(key, value).is_some() {
                return Err(UnknownFault(format!("fault {fault}: {key} is there twice")));
            }
        }
        Ok(Self { fault, left })
    }

    fn take<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, UnknownFault> {
        let Some(value) = self.left.remove(key) else { return Ok(None) };
        let wrong = || UnknownFault(format!("fault {}: {key}={value} should be {expected}", self.fault));
        read(value).map(Some).ok_or_else(wrong)
    }

    fn need<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, UnknownFault> {
        let missing = format!("fault {}: {key} is missing; it should be {expected}", self.fault);
        self.take(key, expected, read)?.ok_or(UnknownFault(missing))
    }

    fn requests(&mut self) -> Result<Requests, UnknownFault> {
        let share = self.take("share", "a number from 0 to 1", |text| {
            text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
        })?;
        let api = self.take("api", "the name of a request, such as Produce", api)?;
        Ok(Requests { api, share: share.unwrap_or(1.0) })
    }

    fn time(&mut self, key: &str) -> Result<Option<Duration>, UnknownFault> {
        self.take(key, A_TIME, duration)
    }

    fn done(self) -> Result<(), UnknownFault> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => Err(UnknownFault(format!("fault {}: there is no setting {key}", self.fault))),
        }
    }
}

const A_TIME: &str = "a time, such as 200ms, 5s or 2m";

/// The same for `NOT_COORDINATOR`, `NotCoordinator` and `notcoordinator`.
fn plain(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

fn api(name: &str) -> Option<ApiKey> {
    wire::answered().find(|api| plain(&format!("{api:?}")) == plain(name))
}

fn code(text: &str) -> Option<ResponseError> {
    if let Ok(code) = text.parse::<i16>() {
        return ResponseError::try_from_code(code);
    }
    let known = (-1..MOST_CODES).filter_map(ResponseError::try_from_code);
    let mut known = known.filter(|error| !matches!(error, ResponseError::Unknown(_)));
    known.find(|error| plain(&format!("{error:?}")) == plain(text))
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|one: char| !one.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let mut settings = Settings::read(name, settings)?;
        let fault = match name {
            "drop" => Self::Drop(settings.requests()?),
            "cut" => Self::Cut(settings.requests()?),
            "delay" => Self::Delay(settings.requests()?, settings.need("by", A_TIME, duration)?),
            "error" => {
                let expected = "an error code, such as NOT_COORDINATOR or 16";
                let code = settings.need("code", expected, code)?;
                Self::Error(settings.requests()?, code)
            }
            "move-coordinator" => Self::MoveCoordinator {
                every: settings
                    .need("every", A_TIME, |text| duration(text).filter(|time| !time.is_zero()))?,
                away: settings.time("away")?.unwrap_or(Duration::from_secs(1)),
            },
            "full-disk" => Self::FullDisk {
                after: settings.time("after")?.unwrap_or_default(),
                lasting: settings.time("lasting")?,
            },
            "unclean-election" => Self::UncleanElection {
                every: settings
                    .need("every", A_TIME, |text| duration(text).filter(|time| !time.is_zero()))?,
                lose: settings.need("lose", "a number of records", |text| text.parse().ok())?,
            },
            _ => return Err(UnknownFault(format!("there is no fault {name}; there are {NAMES}"))),
        };
        settings.done()?;
        Ok(fault)
    }
}

/// A duration in the largest unit that has no fraction.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis > 0 && millis.is_multiple_of(60_000) {
            write!(formatter, "{}m", millis / 60_000)
        } else if millis.is_multiple_of(1000) {
            write!(formatter, "{}s", millis / 1000)
        } else {
            write!(formatter, "{millis}ms")
        }
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(api) = self.api {
            write!(formatter, "api={api:?},")?;
        }
        write!(formatter, "share={}", self.share)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop(requests) => write!(formatter, "drop:{requests}"),
            Self::Cut(requests) => write!(formatter, "cut:{requests}"),
            Self::Delay(requests, by) => write!(formatter, "delay:{requests},by={}", Time(*by)),
            Self::Error(requests, code) => write!(formatter, "error:{requests},code={}", code.code()),
            Self::MoveCoordinator { every, away } => {
                write!(formatter, "move-coordinator:every={},away={}", Time(*every), Time(*away))
            }
            Self::FullDisk { after, lasting } => {
                write!(formatter, "full-disk:after={}", Time(*after))?;
                lasting.map_or(Ok(()), |lasting| write!(formatter, ",lasting={}", Time(lasting)))
            }
            Self::UncleanElection { every, lose } => {
                write!(formatter, "unclean-election:every={},lose={lose}", Time(*every))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_and_written() {
        for text in [
            "drop:share=0.25",
            "cut:api=Fetch,share=1",
            "delay:share=1,by=250ms",
            "error:api=Produce,share=0.1,code=6",
            "move-coordinator:every=1m,away=500ms",
            "full-disk:after=0s",
            "full-disk:after=5s,lasting=10s",
            "unclean-election:every=30s,lose=5",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        let by_name = "error:code=NOT_LEADER_OR_FOLLOWER,api=produce".parse::<Fault>().unwrap();
        let requests = Requests { api: Some(ApiKey::Produce), share: 1.0 };
        assert_eq!(by_name, Fault::Error(requests, ResponseError::NotLeaderOrFollower));
    }

    #[test]
    fn what_is_wrong_with_a_text_is_said() {
        let refused = |text: &str| text.parse::<Fault>().unwrap_err().to_string();
        assert_eq!(
            refused("burn"),
            "there is no fault burn; there are drop, cut, delay, error, move-coordinator, full-disk, unclean-election"
        );
        assert_eq!(refused("drop:share=2"), "fault drop: share=2 should be a number from 0 to 1");
        assert_eq!(refused("drop:share=NaN"), "fault drop: share=NaN should be a number from 0 to 1");
        assert_eq!(
            refused("drop:api=Vote"),
            "fault drop: api=Vote should be the name of a request, such as Produce"
        );
        assert_eq!(refused("drop:when=now"), "fault drop: there is no setting when");
        assert_eq!(refused("drop:share"), "fault drop: share should be KEY=VALUE");
        assert_eq!(refused("drop:share=1,share=1"), "fault drop: share is there twice");
        let time = "a time, such as 200ms, 5s or 2m";
        assert_eq!(refused("delay"), format!("fault delay: by is missing; it should be {time}"));
        assert_eq!(refused("delay:by=3h"), format!("fault delay: by=3h should be {time}"));
        assert_eq!(
            refused("move-coordinator:every=0s"),
            format!("fault move-coordinator: every=0s should be {time}")
        );
        assert_eq!(
            refused("error:code=WRONG"),
            "fault error: code=WRONG should be an error code, such as NOT_COORDINATOR or 16"
        );
    }
}
