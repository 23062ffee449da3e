//! PEM text as Java accepts it, rewritten as OpenSSL and rustls want it.
//!
//! In a properties file a certificate often stands on one line, its parts between blanks instead of line ends; Java
//! reads that, the TLS libraries do not.

const BASE64_LINE: usize = 64;

/// The blocks of `text` (`-----BEGIN x-----` … `-----END x-----`) in canonical form, whatever white space separated
/// their parts. Text between blocks is dropped.
///
/// # Errors
/// The detail of the error text where a block is not closed, holds something else than base64, or there is none.
pub(crate) fn normalise(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + text.len() / BASE64_LINE + 64);
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) =
            after.split_once("-----").ok_or("the PEM text has an opening line without end")?;
        let end = format!("-----END {label}-----");
        let (body, after) =
            after.split_once(end.as_str()).ok_or_else(|| format!("the PEM text lacks {end}"))?;
        if label.is_empty() || label.len() > 64 || body.contains("-----") {
            return Err("the PEM text is not well-formed".into());
        }
        if body.contains(':') {
            return Err(format!("the {label} has RFC 1421 headers: convert it with openssl pkcs8 -topk8"));
        }
        let base64: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if base64.is_empty() || !base64.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)) {
            return Err(format!("the {label} in the PEM text is not base64"));
        }
        out.push_str("-----BEGIN ");
        out.push_str(label);
        out.push_str("-----\n");
        let mut line = 0;
        for c in base64.chars() {
            out.push(c);
            line += 1;
            if line == BASE64_LINE {
                out.push('\n');
                line = 0;
            }
        }
        if line > 0 {
            out.push('\n');
        }
        out.push_str(&end);
        out.push('\n');
        rest = after;
    }
    if out.is_empty() { Err("there is no -----BEGIN line of PEM".into()) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_many_lines_come_to_the_same() {
        let body = "A".repeat(70);
        let expected =
            format!("-----BEGIN CERTIFICATE-----\n{}\nAAAAAA\n-----END CERTIFICATE-----\n", "A".repeat(64));
        let one_line = format!("-----BEGIN CERTIFICATE----- {body} -----END CERTIFICATE-----");
        let many_lines = format!("-----BEGIN CERTIFICATE-----\r\n{body}\r\n-----END CERTIFICATE-----\r\n");
        assert_eq!(normalise(&one_line).unwrap(), expected);
        assert_eq!(normalise(&many_lines).unwrap(), expected);
        assert_eq!(normalise(&format!("{one_line} and {many_lines}")).unwrap(), expected.repeat(2));
    }

    #[test]
    fn broken_text_is_refused() {
        for text in [
            "",
            "MIIB",
            "-----BEGIN CERTIFICATE",
            "-----BEGIN CERTIFICATE-----\nMIIB",
            "-----BEGIN A-----\nMIIB\n-----END B-----",
            "-----BEGIN A-----\n-----END A-----",
            "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n-----END A-----",
            "-----BEGIN A-----\n<html>\n-----END A-----",
        ] {
            assert!(normalise(text).is_err(), "{text:?}");
        }
    }
}
