//! Text to tokens.

use crate::{Malformed, Position};

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) position: Position,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare word: a keyword, a name, a number.
    Word(String),
    /// Between backticks.
    Quoted(String),
    /// Between single quotes.
    Text(String),
    Comma,
    Equals,
    Open,
    Close,
    Semicolon,
}

/// The tokens of `text`.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Malformed> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().enumerate().peekable();
    while let Some((at, character)) = characters.next() {
        let position = Position(at);
        let kind = match character {
            c if c.is_whitespace() => continue,
            ',' => Kind::Comma,
            '=' => Kind::Equals,
            '(' => Kind::Open,
            ')' => Kind::Close,
            ';' => Kind::Semicolon,
            '`' | '\'' => {
                let mut inside = String::new();
                loop {
                    match characters.next() {
                        Some((_, c)) if c == character => break,
                        Some((_, c)) => inside.push(c),
                        None => {
                            let what = format!("the closing {character} is missing for the one");
                            return Err(Malformed::new(text, position, what));
                        }
                    }
                }
                if character == '`' { Kind::Quoted(inside) } else { Kind::Text(inside) }
            }
            first => {
                let mut word = String::from(first);
                while let Some((_, c)) = characters.next_if(|(_, c)| belongs_to_word(*c)) {
                    word.push(c);
                }
                Kind::Word(word)
            }
        };
        tokens.push(Token { kind, position });
    }
    Ok(tokens)
}

fn belongs_to_word(character: char) -> bool {
    !character.is_whitespace() && !matches!(character, ',' | '=' | '(' | ')' | ';' | '`' | '\'')
}
