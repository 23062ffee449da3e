//! What transforms have to say about records they took.

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemarkLevel {
    /// Somebody may want to look into it.
    Warn,
    /// Something is wrong, though the record was dealt with.
    Error,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// How much it matters.
    pub level: RemarkLevel,
    /// The text; nothing of a record's content.
    pub text: String,
    /// For how many records it was said in a row.
    pub times: u64,
}

/// Remarks between two calls of [`Transform::take_remarks`](super::Transform::take_remarks). What is said of many records
/// in a row is kept once, with a count, and no more than [`Remarks::MOST`] different ones are kept; so remarks on every
/// record of a stream cost next to nothing.
///
/// ```
/// use lavka_api::plugin::{RemarkLevel, Remarks};
///
/// let mut remarks = Remarks::default();
/// for _ in 0..3 {
///     remarks.say(RemarkLevel::Warn, format_args!("dropped a record of {}", "orders"));
/// }
/// let said = remarks.take();
/// assert_eq!((said[0].text.as_str(), said[0].times, said.len()), ("dropped a record of orders", 3, 1));
/// assert!(remarks.take().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Remarks {
    said: Vec<Remark>,
    /// The text of the last call, kept for its memory.
    text: String,
}

impl Remarks {
    /// The most different remarks that are kept between two takes; later ones are not.
    pub const MOST: usize = 100;

    /// Keeps a remark.
    pub fn say(&mut self, level: RemarkLevel, text: std::fmt::Arguments<'_>) {
        self.text.clear();
        // Writing to a string cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut self.text, text);
        let kept = self.said.len();
        match self.said.last_mut() {
            Some(last) if last.level == level && last.text == self.text => last.times += 1,
            _ if kept < Self::MOST => self.said.push(Remark { level, text: self.text.clone(), times: 1 }),
            _ => {}
        }
    }

    /// What was said since the last call.
    pub fn take(&mut self) -> Vec<Remark> {
        std::mem::take(&mut self.said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_counted_and_bounded() {
        let mut remarks = Remarks::default();
        for n in 0..1000 {
            remarks.say(RemarkLevel::Warn, format_args!("{}", n / 2));
        }
        let said = remarks.take();
        assert_eq!(said.len(), Remarks::MOST);
        assert_eq!(said[99], Remark { level: RemarkLevel::Warn, text: "99".into(), times: 2 });
        remarks.say(RemarkLevel::Warn, format_args!("x"));
        remarks.say(RemarkLevel::Error, format_args!("x"));
        assert_eq!(remarks.take().len(), 2, "of two levels");
    }
}
