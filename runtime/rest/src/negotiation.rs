//! Media types: JSON goes in, JSON comes out; metrics come out as text.

use lavka_telemetry::exposition::Format;

/// What the type of a request body says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyType {
    /// JSON, whatever its parameters.
    Json,
    /// None is given.
    Missing,
    /// Some other one: 415.
    Other,
    /// It is no media type: 400.
    Malformed,
}

/// What a `Content-Type` header says.
pub(crate) fn body_type(header: Option<&[u8]>) -> BodyType {
    let Some(header) = header else { return BodyType::Missing };
    let text = String::from_utf8_lossy(header);
    match media_range(&text) {
        None if text.trim().is_empty() => BodyType::Missing,
        None => BodyType::Malformed,
        Some((main, sub)) => {
            if main.eq_ignore_ascii_case("application") && sub.eq_ignore_ascii_case("json") {
                BodyType::Json
            } else {
                BodyType::Other
            }
        }
    }
}

/// Whether one of the `Accept` headers takes JSON. None at all, or an empty one, takes anything. The weights do not
/// matter, as there is one type to choose from.
pub(crate) fn accepts_json<'h>(headers: impl Iterator<Item = &'h [u8]>) -> bool {
    let mut any = false;
    for header in headers {
        let text = String::from_utf8_lossy(header);
        for range in text.split(',').filter(|range| !range.trim().is_empty()) {
            any = true;
            if specificity(range, "application/json").is_some() {
                return true;
            }
        }
    }
    !any
}

/// The format of metrics that the `Accept` headers like best; of equals, Prometheus' own. `None` where they take neither.
pub(crate) fn metrics_format<'h>(headers: impl Iterator<Item = &'h [u8]>) -> Option<Format> {
    let texts: Vec<_> = headers.map(String::from_utf8_lossy).collect();
    let ranges: Vec<&str> =
        texts.iter().flat_map(|text| text.split(',')).filter(|range| !range.trim().is_empty()).collect();
    if ranges.is_empty() {
        return Some(Format::Prometheus);
    }
    let mut best = None;
    for format in Format::ALL {
        // The range that says most has the last word on a type (RFC 9110, section 12.5.1).
        let fits =
            ranges.iter().filter_map(|range| Some((specificity(range, format.media_type())?, weight(range))));
        let liking =
            fits.max_by_key(|(specific, weight)| (*specific, *weight)).map_or(0, |(_, weight)| weight);
        if liking > best.map_or(0, |(most, _)| most) {
            best = Some((liking, format));
        }
    }
    best.map(|(_, format)| format)
}

/// How much a media range says of a type that is in it: 0 for `*/*`, 1 for `text/*`, 2 for the type itself.
fn specificity(range: &str, media_type: &str) -> Option<u8> {
    let (main, sub) = media_range(range)?;
    let (wanted_main, wanted_sub) = media_type.split_once('/')?;
    if main == "*" {
        return (sub == "*" || sub.eq_ignore_ascii_case(wanted_sub)).then_some(0);
    }
    if !main.eq_ignore_ascii_case(wanted_main) {
        return None;
    }
    if sub == "*" { Some(1) } else { sub.eq_ignore_ascii_case(wanted_sub).then_some(2) }
}

/// The weight of a media range in thousandths; 1000 where it has none that can be read.
fn weight(range: &str) -> u16 {
    let mut parameters = range.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let weight =
        parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q")).map(|(_, value)| value.trim());
    let Some((whole, fraction)) = weight.map(|weight| weight.split_once('.').unwrap_or((weight, ""))) else {
        return 1000;
    };
    let thousandths = format!("{fraction:0<3}").get(..3).and_then(|digits| digits.parse().ok());
    if whole == "0" { thousandths.unwrap_or(1000) } else { 1000 }
}

fn media_range(text: &str) -> Option<(&str, &str)> {
    let (main, sub) = text.split(';').next()?.trim().split_once('/')?;
    let (main, sub) = (main.trim(), sub.trim());
    (!main.is_empty() && !sub.is_empty()).then_some((main, sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_any_form() {
        let of = |text: &str| body_type(Some(text.as_bytes()));
        assert_eq!(of("application/json"), BodyType::Json);
        assert_eq!(of("Application/JSON; charset=utf-8"), BodyType::Json);
        assert_eq!(of("application/jsonx"), BodyType::Other);
        assert_eq!(of("application/vnd.api+json"), BodyType::Other);
        assert_eq!(of("foo"), BodyType::Malformed);
        assert_eq!(of(" "), BodyType::Missing);
        assert_eq!(body_type(None), BodyType::Missing);
    }

    #[test]
    fn metrics_come_in_the_format_that_is_liked_best() {
        let format = |texts: &[&str]| metrics_format(texts.iter().map(|text| text.as_bytes()));
        let newest = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
                      application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (texts, expected) in [
            (&[][..], Some(Format::Prometheus)),
            (&["*/*"], Some(Format::Prometheus)),
            (&["text/html, */*;q=0.8"], Some(Format::Prometheus)),
            (&[newest], Some(Format::OpenMetrics)),
            (&["application/*"], Some(Format::OpenMetrics)),
            (&["text/plain;q=0.5", "application/openmetrics-text; q = 0.4"], Some(Format::Prometheus)),
            (&["text/plain;q=0,*/*"], Some(Format::OpenMetrics)),
            (&["text/plain;q=x,application/openmetrics-text;q=0.9999"], Some(Format::Prometheus)),
            (&["application/json"], None),
            (&["text/plain;q=0.0", "foo"], None),
        ] {
            assert_eq!(format(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn accepted_ranges() {
        let accepts = |texts: &[&str]| accepts_json(texts.iter().map(|text| text.as_bytes()));
        for yes in [&[][..], &[""], &["*/*"], &["application/*"], &["text/html, application/json;q=0.5"]] {
            assert!(accepts(yes), "{yes:?}");
        }
        assert!(accepts(&["text/html", "application/json"]));
        for no in [&["text/html"][..], &["foo"], &["application/xml, text/*"], &["*/xml"]] {
            assert!(!accepts(no), "{no:?}");
        }
    }
}
