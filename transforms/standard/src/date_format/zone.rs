//! Time zones in texts: offsets, and the names whose meaning never changed.

/// A zone that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Zone {
    /// Minutes east of Greenwich.
    pub(super) minutes: i32,
    /// Bytes read.
    pub(super) length: usize,
    /// Whether it says nothing where an offset came before: `UTC` is the name of the zone that times are in anyway.
    pub(super) yields: bool,
}

/// Zones by their short and long English names, in the order in which Java looks through them; minutes east of Greenwich.
/// Zones that once changed their offset (Moscow) are left out: which one was meant would depend on the date.
const NAMES: &[(&str, i32)] = &[
    ("Coordinated Universal Time", 0),
    ("UTC", 0),
    ("Pacific Standard Time", -480),
    ("PST", -480),
    ("Pacific Daylight Time", -420),
    ("PDT", -420),
    ("Mountain Standard Time", -420),
    ("MST", -420),
    ("Mountain Daylight Time", -360),
    ("MDT", -360),
    ("Central Standard Time", -360),
    ("CST", -360),
    ("Central Daylight Time", -300),
    ("CDT", -300),
    ("Eastern Standard Time", -300),
    ("EST", -300),
    ("Eastern Daylight Time", -240),
    ("EDT", -240),
    ("Hawaii-Aleutian Standard Time", -600),
    ("HST", -600),
    ("Atlantic Standard Time", -240),
    ("AST", -240),
    ("Atlantic Daylight Time", -180),
    ("ADT", -180),
    ("Newfoundland Standard Time", -210),
    ("NST", -210),
    ("Newfoundland Daylight Time", -150),
    ("NDT", -150),
    ("Central European Standard Time", 60),
    ("CET", 60),
    ("Central European Summer Time", 120),
    ("CEST", 120),
    ("Greenwich Mean Time", 0),
    ("GMT", 0),
    ("Israel Standard Time", 120),
    ("IST", 120),
    ("Israel Daylight Time", 180),
    ("IDT", 180),
    ("Japan Standard Time", 540),
    ("JST", 540),
    ("Eastern European Standard Time", 120),
    ("EET", 120),
    ("Eastern European Summer Time", 180),
    ("EEST", 180),
    ("Australian Central Standard Time", 570),
    ("ACST", 570),
    ("Australian Eastern Standard Time", 600),
    ("AEST", 600),
    ("Australian Eastern Daylight Time", 660),
    ("AEDT", 660),
    ("Brasilia Standard Time", -180),
    ("BRT", -180),
    ("New Zealand Standard Time", 720),
    ("NZST", 720),
    ("New Zealand Daylight Time", 780),
    ("NZDT", 780),
    ("Pakistan Standard Time", 300),
    ("PKT", 300),
    ("Gulf Standard Time", 240),
    ("GST", 240),
    ("Korean Standard Time", 540),
    ("KST", 540),
    ("Iran Standard Time", 210),
    ("IRST", 210),
    ("West Africa Standard Time", 60),
    ("WAT", 60),
    ("South Africa Standard Time", 120),
    ("SAST", 120),
    ("Irish Standard Time", 60),
    ("British Summer Time", 60),
    ("BST", 60),
    ("Hong Kong Standard Time", 480),
    ("HKT", 480),
    ("Australian Western Standard Time", 480),
    ("AWST", 480),
    ("MET", 60),
    ("MEST", 120),
];

/// The zone at the start of `text` for the letters `z` and `Z`: `+hhmm`, `GMT`, `GMT+h:mm` or a name.
pub(super) fn general(text: &str) -> Option<Zone> {
    if let Some(sign) = sign(text) {
        let zone = offset(text.get(1..)?, sign, 0, false)?;
        return Some(Zone { length: zone.length + 1, ..zone });
    }
    if let Some(rest) = strip_ignoring_case(text, "GMT") {
        return match sign(rest) {
            None => Some(Zone { minutes: 0, length: 3, yields: false }),
            Some(sign) => {
                let zone = offset(rest.get(1..)?, sign, 0, true)?;
                Some(Zone { length: zone.length + 4, ..zone })
            }
        };
    }
    NAMES.iter().find_map(|&(name, minutes)| {
        let yields = matches!(name, "UTC" | "Coordinated Universal Time");
        strip_ignoring_case(text, name).map(|_| Zone { minutes, length: name.len(), yields })
    })
}

/// The zone at the start of `text` for `letters` letters `X`: `Z`, `+hh`, `+hhmm` or `+hh:mm`.
pub(super) fn iso(text: &str, letters: usize) -> Option<Zone> {
    if text.starts_with('Z') {
        return Some(Zone { minutes: 0, length: 1, yields: false });
    }
    let zone = offset(text.get(1..)?, sign(text)?, letters, letters == 3)?;
    Some(Zone { length: zone.length + 1, ..zone })
}

fn sign(text: &str) -> Option<i32> {
    match text.as_bytes().first()? {
        b'+' => Some(1),
        b'-' => Some(-1),
        _ => None,
    }
}

/// The text behind `prefix`, whatever its case.
pub(super) fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Hours and minutes behind a sign. One letter `X` asks for hours alone; the letters `z` and `Z` (none here) allow an
/// hour of one digit before a colon.
fn offset(text: &str, sign: i32, letters: usize, colon: bool) -> Option<Zone> {
    let digit = |at: usize| {
        text.as_bytes().get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i32::from(byte - b'0'))
    };
    let mut hours = digit(0)?;
    let mut at = 1;
    match digit(1) {
        Some(second) => {
            hours = hours * 10 + second;
            at = 2;
        }
        // Java looks at the next character, whatever it is, so there must be one.
        None if letters > 0 || !colon || text.len() < 2 => return None,
        None => {}
    }
    if hours > 23 {
        return None;
    }
    let mut minutes = 0;
    if letters != 1 {
        if colon {
            text.as_bytes().get(at).filter(|&&byte| byte == b':')?;
            at += 1;
        }
        minutes = digit(at)? * 10 + digit(at + 1)?;
        at += 2;
        if minutes > 59 {
            return None;
        }
    }
    Some(Zone { minutes: (hours * 60 + minutes) * sign, length: at, yields: false })
}
