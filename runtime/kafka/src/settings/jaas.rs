//! `sasl.jaas.config`: the one login module of a client, in the syntax of JAAS files.
//!
//! `LoginModuleClass controlFlag (optionName=optionValue)*;` with values in single or double quotes where they hold more
//! than letters, digits, `_`, `-` and `$`. Comments are allowed as in Java. No error text repeats anything that was
//! read but names, because any value may be a secret.

use lavka_api::config::Password;

/// A login module with its options.
#[derive(Debug)]
pub(crate) struct LoginModule {
    /// The class name.
    pub(crate) class: String,
    options: Vec<(String, Password)>,
}

impl LoginModule {
    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&Password> {
        self.options.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// All options, in their order.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&str, &Password)> {
        self.options.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names of the options.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.options.iter().map(|(name, _)| name.as_str())
    }
}

#[derive(PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Equals,
    Semicolon,
}

/// Parses the value of `sasl.jaas.config`.
///
/// # Errors
/// The detail of the error text.
pub(crate) fn parse(text: &str) -> Result<LoginModule, String> {
    let mut tokens = tokens(text)?.into_iter();
    let class = match tokens.next() {
        Some(Token::Word(class)) => class,
        _ => return Err("Login module not specified in JAAS config".into()),
    };
    match tokens.next() {
        Some(Token::Word(flag)) => {
            const FLAGS: [&str; 4] = ["required", "requisite", "sufficient", "optional"];
            if !FLAGS.iter().any(|known| known.eq_ignore_ascii_case(&flag)) {
                return Err(format!(
                    "Control flag expected after {class} in JAAS config, one of {}",
                    FLAGS.join(", ")
                ));
            }
        }
        _ => return Err("Login module control flag not specified in JAAS config".into()),
    }
    let mut options = Vec::new();
    loop {
        match tokens.next() {
            Some(Token::Semicolon) => break,
            Some(Token::Word(name) | Token::Quoted(name)) => {
                if tokens.next() != Some(Token::Equals) {
                    return Err("Value not specified for key in JAAS config".into());
                }
                match tokens.next() {
                    Some(Token::Word(value) | Token::Quoted(value)) => {
                        options.push((name, Password::new(value)));
                    }
                    _ => return Err(format!("Value not specified for key '{name}' in JAAS config")),
                }
            }
            Some(Token::Equals) => return Err("Option name expected before = in JAAS config".into()),
            None => return Err("JAAS config entry not terminated by semi-colon".into()),
        }
    }
    if tokens.next().is_some() {
        return Err("JAAS config property contains more than one login module, should be 1 module".into());
    }
    Ok(LoginModule { class, options })
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            _ if c.is_whitespace() => {}
            '=' => tokens.push(Token::Equals),
            ';' => tokens.push(Token::Semicolon),
            '"' | '\'' => tokens.push(Token::Quoted(quoted(c, &mut chars)?)),
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            '/' if chars.peek() == Some(&'*') => {
                let mut before = ' ';
                chars.next();
                loop {
                    match chars.next() {
                        Some('/') if before == '*' => break,
                        Some(c) => before = c,
                        None => return Err("comment in JAAS config is not closed".into()),
                    }
                }
            }
            _ => {
                let mut word = String::from(c);
                while let Some(c) =
                    chars.next_if(|c| !c.is_whitespace() && !matches!(c, '=' | ';' | '"' | '\''))
                {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

/// The rest of a quoted value, with the escapes of Java's `StreamTokenizer`.
fn quoted(end: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut value = String::new();
    loop {
        match chars.next() {
            Some(c) if c == end => return Ok(value),
            Some('\n') | None => return Err("quoted value in JAAS config is not closed".into()),
            Some('\\') => match chars.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('r') => value.push('\r'),
                Some('a') => value.push('\u{7}'),
                Some('b') => value.push('\u{8}'),
                Some('f') => value.push('\u{c}'),
                Some('v') => value.push('\u{b}'),
                Some(c @ '0'..='7') => value.push(octal(c, chars)),
                Some(c) => value.push(c),
                None => return Err("quoted value in JAAS config is not closed".into()),
            },
            Some(c) => value.push(c),
        }
    }
}

/// Up to three octal digits, up to `\377`.
fn octal(first: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> char {
    let mut code = first.to_digit(8).unwrap_or(0);
    let more = if first <= '3' { 2 } else { 1 };
    for _ in 0..more {
        match chars.next_if(|c| ('0'..='7').contains(c)).and_then(|c| c.to_digit(8)) {
            Some(digit) => code = code * 8 + digit,
            None => break,
        }
    }
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";

    fn option(text: &str, name: &str) -> Option<String> {
        parse(text).unwrap().option(name).map(|value| value.reveal().to_owned())
    }

    #[test]
    fn options_are_found_however_they_are_written() {
        let text =
            format!("{PLAIN} required username=\"alice\"\n  password=\"a;b=c \\\"d\\\" \\\\ 'e'\" x=y-$_1;");
        assert_eq!(parse(&text).unwrap().class, PLAIN);
        assert_eq!(option(&text, "username").as_deref(), Some("alice"));
        assert_eq!(option(&text, "password").as_deref(), Some("a;b=c \"d\" \\ 'e'"));
        assert_eq!(option(&text, "x").as_deref(), Some("y-$_1"));
        assert_eq!(option(&text, "missing"), None);
        let text = format!("// first\n{PLAIN} /* really */ REQUIRED username='b\\101b' ;");
        assert_eq!(option(&text, "username").as_deref(), Some("bAb"));
    }

    #[test]
    fn errors_say_what_is_missing_and_never_what_was_read() {
        for (text, expected) in [
            ("", "Login module not specified in JAAS config"),
            (PLAIN, "Login module control flag not specified in JAAS config"),
            (&format!("{PLAIN} required"), "JAAS config entry not terminated by semi-colon"),
            (
                &format!("{PLAIN} required password=;"),
                "Value not specified for key 'password' in JAAS config",
            ),
            (&format!("{PLAIN} required secret;"), "Value not specified for key in JAAS config"),
            (&format!("{PLAIN} required a=\"secret"), "quoted value in JAAS config is not closed"),
            (&format!("{PLAIN} required /* secret"), "comment in JAAS config is not closed"),
            (
                &format!("{PLAIN} required; {PLAIN} required;"),
                "JAAS config property contains more than one login module, should be 1 module",
            ),
        ] {
            assert_eq!(parse(text).err().as_deref(), Some(expected), "{text:?}");
        }
    }
}
