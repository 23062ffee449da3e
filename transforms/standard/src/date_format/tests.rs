use super::*;

/// 2026-01-01.
const NOW: i64 = 1_767_225_600_000;

fn format(pattern: &str, ms: i64) -> String {
    let mut out = String::new();
    DateFormat::compile(pattern).unwrap().format(ms, &mut out);
    out
}

fn parse(pattern: &str, text: &str) -> Option<i64> {
    DateFormat::compile(pattern).unwrap().parse(text, century_start(NOW))
}

#[test]
fn instants_are_written() {
    // 2017-01-03T06:30:01.864Z, a Tuesday.
    let at = |pattern| format(pattern, 1_483_425_001_864);
    for (pattern, text) in [
        ("yyyyMMdd", "20170103"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2017-01-03T06:30:01.864Z"),
        ("YYYY'W'ww", "2017W01"),
        ("EEE MMM d hh:mm a", "Tue Jan 3 06:30 AM"),
        ("y yy yyy yyyyy Y YY YYYYY", "2017 17 2017 02017 2017 17 02017"),
        ("M MM MMM MMMM L LLL LLLLL", "1 01 Jan January 1 Jan January"),
        ("d D DDDD F u uu w W", "3 3 0003 1 2 02 1 1"),
        ("E EEEE G GGGG a aaaa", "Tue Tuesday AD AD AM AM"),
        ("H k K h HH kk KK hh", "6 6 6 6 06 06 06 06"),
        ("m mmm s S SSSSSS", "30 030 1 864 000864"),
        ("z zzz zzzz Z ZZZZ X XX XXX", "UTC UTC Coordinated Universal Time +0000 +0000 Z Z Z"),
        ("'it''s' ''yy''", "it's '17'"),
        ("", ""),
        ("'héllo' yyyy年", "héllo 2017年"),
    ] {
        assert_eq!(at(pattern), text, "{pattern}");
    }
    assert_eq!(format("k K h H a", 0), "24 0 12 0 AM");
    assert_eq!(format("k K h H a", 43_200_000), "12 0 12 12 PM");
}

#[test]
fn weeks_begin_on_sunday_and_belong_to_one_year() {
    // 2022-12-31 is a Saturday, the next day begins the first week of 2023; 2019-12-29 begins the first of 2020.
    for (ms, text) in [
        (1_672_444_800_000, "2022 53 5"),
        (1_672_531_200_000, "2023 1 1"),
        (1_577_577_600_000, "2020 1 5"),
        (1_577_491_200_000, "2019 52 4"),
    ] {
        assert_eq!(format("YYYY w W", ms), text, "{ms}");
    }
}

#[test]
fn times_long_ago_are_of_the_julian_calendar() {
    for (ms, text) in [
        (-12_219_292_800_000, "AD 1582-10-15 278"),
        (-12_219_292_800_001, "AD 1582-10-04 277"),
        (-62_135_769_600_000, "AD 0001-01-01 001"),
        (-62_135_769_600_001, "BC 0001-12-31 366"),
    ] {
        assert_eq!(format("G yyyy-MM-dd DDD", ms), text, "{ms}");
    }
    // The ends of the range neither panic nor overflow.
    for ms in [i64::MIN, i64::MAX] {
        assert!(!format("G y Y M w W D d F E u a H k K h m s S", ms).is_empty());
    }
}

#[test]
fn texts_are_read_leniently() {
    for (pattern, text, ms) in [
        ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2023-01-02T03:04:05.678Z", 1_672_628_645_678),
        ("yyyy-MM-dd", "2023-13-45 junk", 1_707_868_800_000),
        ("yyyyMMddHHmmss", "20230102030405", 1_672_628_645_000),
        ("yyyy-MM-dd HH:mm Z", "2023-01-02 03:04 +0130", 1_672_623_240_000),
        ("yyyy-MM-dd HH:mm z", "2023-01-02 03:04 EST", 1_672_646_640_000),
        ("yyyy-MM-dd HH:mm z", "2023-01-02 03:04 GMT-2:30", 1_672_637_640_000),
        ("yyyy-MM-dd HH:mmXXX", "2023-01-02 03:04+01:00", 1_672_625_040_000),
        ("d MMM yyyy", "2 january 2023", 1_672_617_600_000),
        ("EEE, d MMM yyyy h:mm a", "Mon, 2 JAN 2023 12:04 PM", 1_672_661_040_000),
        ("YYYY-'W'ww-u", "2023-W01-2", 1_672_704_000_000),
        ("yyyy DDD", "2023 002", 1_672_617_600_000),
        ("dd/MM/yy", "02/01/23", 1_672_617_600_000),
        ("dd/MM/yy", "02/01/46", -757_296_000_000),
        ("dd/MM/yy", "02/01/45", 2_366_928_000_000),
        ("dd/MM/yy", "02/01/2023", 1_672_617_600_000),
        ("HH:mm", " 25:-1", 90_000_000 - 60_000),
        ("G yyyy", "BC 1", -62_167_392_000_000),
        ("HH:mm Z z", "03:04 +0100 UTC", 7_440_000),
        ("HH:mm Z z", "03:04 +0100 EST", 29_040_000),
    ] {
        assert_eq!(parse(pattern, text), Some(ms), "{pattern}: {text}");
    }
}

#[test]
fn texts_that_are_no_dates() {
    for (pattern, text) in [
        ("yyyy-MM-dd", "x"),
        ("yyyy-MM-dd", "2023-01"),
        ("yyyy-MM-dd", ""),
        ("", ""),
        ("", "x"),
        ("yyyyMMdd", "202301"),
        ("MMM", "Jänner"),
        ("HH:mm X", "03:04 +25"),
        ("HH:mm XXX", "03:04 +0100"),
        ("HH:mm z", "03:04 Nowhere"),
        ("HH:mm z", "03:04 é"),
        ("HHmm", "é"),
        ("E", " Mon"),
    ] {
        assert_eq!(parse(pattern, text), None, "{pattern}: {text}");
    }
}

#[test]
fn patterns_that_are_none() {
    for (pattern, message) in [
        ("yyyy-MM-ddTHH", "Illegal pattern character 'T'"),
        ("n", "Illegal pattern character 'n'"),
        ("yyyy 'x", "Unterminated quote"),
        ("XXXX", "invalid ISO 8601 format: length=4"),
    ] {
        assert_eq!(DateFormat::compile(pattern).map(drop), Err(message.to_owned()), "{pattern}");
    }
}

#[test]
fn centuries_begin_eighty_years_ago() {
    assert_eq!(century_start(NOW), -757_382_400_000);
    assert_eq!(century_start(1_709_164_800_000), -815_443_200_000, "29 February 1944");
}
