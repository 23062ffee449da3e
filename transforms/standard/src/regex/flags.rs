//! Flags such as `(?i)`.

/// A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags(u8);

impl Flags {
    /// `i`: letters match in either case; those of ASCII, unless `UNICODE_CASE` is set too.
    pub(super) const CASE_INSENSITIVE: Flags = Flags(1);
    /// `u`: case is Unicode's.
    pub(super) const UNICODE_CASE: Flags = Flags(2);
    /// `m`: `^` and `$` match at lines.
    pub(super) const MULTILINE: Flags = Flags(4);
    /// `s`: `.` matches everything.
    pub(super) const DOTALL: Flags = Flags(8);
    /// `d`: lines end with `\n` alone.
    pub(super) const UNIX_LINES: Flags = Flags(16);
    /// `x`: white space and comments are skipped.
    pub(super) const COMMENTS: Flags = Flags(32);
    /// `U`: `\w` and its like are Unicode's.
    pub(super) const UNICODE_CLASSES: Flags = Flags(64);

    /// What `letter` turns on; `None` for letters that are no flag.
    pub(super) fn on(letter: char) -> Option<Flags> {
        Some(match letter {
            'i' => Self::CASE_INSENSITIVE,
            'u' => Self::UNICODE_CASE,
            'm' => Self::MULTILINE,
            's' => Self::DOTALL,
            'd' => Self::UNIX_LINES,
            'x' => Self::COMMENTS,
            'U' => Self::UNICODE_CLASSES.with(Self::UNICODE_CASE),
            _ => return None,
        })
    }

    /// Whether all of `other` are set.
    pub(super) fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub(super) fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}
