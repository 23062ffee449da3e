//! Run-length encodings of ORC (ORC specification v1, "Run Length Encoding"): of bytes, of bits, and the first version of
//! that of integers, which readers of every version take.

/// Values of a run, at most: three are the fewest, and a byte counts the others.
const LONGEST_RUN: usize = 130;
const SHORTEST_RUN: usize = 3;
/// Values between two runs, at most.
const MOST_LITERALS: usize = 128;

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// Bytes, whose runs are of equal ones.
    Byte,
    /// Integers that are never negative.
    Unsigned,
    Signed,
}

/// A stream of values.
#[derive(Debug)]
pub(super) struct Runs {
    element: Element,
    out: Vec<u8>,
    /// Those that are in no run so far.
    literals: Vec<i64>,
    run: Option<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    first: i64,
    /// From one value to the next.
    step: i8,
    len: usize,
    /// The value that would come next.
    next: Option<i64>,
}

impl Runs {
    pub(super) fn new(element: Element) -> Self {
        Self { element, out: Vec::new(), literals: Vec::new(), run: None }
    }

    pub(super) fn push(&mut self, value: i64) {
        if let Some(run) = &mut self.run {
            if run.next == Some(value) && run.len < LONGEST_RUN {
                run.len += 1;
                run.next = value.checked_add(i64::from(run.step));
                return;
            }
            self.end_run();
        }
        self.literals.push(value);
        if let [.., first, second, third] = self.literals[..]
            && let (Some(step), Some(again)) = (second.checked_sub(first), third.checked_sub(second))
            && step == again
            && let Ok(step) = i8::try_from(step)
            && (step == 0 || self.element != Element::Byte)
        {
            self.literals.truncate(self.literals.len() - SHORTEST_RUN);
            self.end_literals();
            let next = third.checked_add(i64::from(step));
            self.run = Some(Run { first, step, len: SHORTEST_RUN, next });
        } else if self.literals.len() >= MOST_LITERALS {
            self.end_literals();
        }
    }

    fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        self.out.push(u8::try_from(run.len.saturating_sub(SHORTEST_RUN)).unwrap_or(u8::MAX >> 1));
        if self.element != Element::Byte {
            self.out.push(run.step.cast_unsigned());
        }
        write(self.element, run.first, &mut self.out);
    }

    fn end_literals(&mut self) {
        if self.literals.is_empty() {
            return;
        }
        let count = i8::try_from(self.literals.len()).map_or(i8::MIN, |count| -count);
        self.out.push(count.cast_unsigned());
        for value in self.literals.drain(..) {
            write(self.element, value, &mut self.out);
        }
    }

    /// Takes the bytes; what comes next begins a stream of its own.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.end_run();
        self.end_literals();
        std::mem::take(&mut self.out)
    }

    /// Bytes in use.
    pub(super) fn len(&self) -> usize {
        self.out.len() + self.literals.len() * size_of::<i64>()
    }
}

fn write(element: Element, value: i64, out: &mut Vec<u8>) {
    match element {
        Element::Byte => out.push(value.to_le_bytes()[0]),
        Element::Unsigned => write_varint(value.cast_unsigned().into(), out),
        Element::Signed => write_varint(zigzag(value.into()), out),
    }
}

/// The number whose last bit is the sign.
pub(super) fn zigzag(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}

/// Seven bits a byte, the lowest first.
pub(super) fn write_varint(mut value: u128, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// A stream of bits, the highest of a byte first.
#[derive(Debug)]
pub(super) struct Bits {
    bytes: Runs,
    byte: u8,
    used: u8,
}

impl Bits {
    pub(super) fn new() -> Self {
        Self { bytes: Runs::new(Element::Byte), byte: 0, used: 0 }
    }

    pub(super) fn push(&mut self, bit: bool) {
        self.byte |= u8::from(bit) << (7 - self.used);
        self.used += 1;
        if self.used == 8 {
            self.end_byte();
        }
    }

    fn end_byte(&mut self) {
        if self.used > 0 {
            self.bytes.push(self.byte.into());
            (self.byte, self.used) = (0, 0);
        }
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.end_byte();
        self.bytes.take()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(element: Element, values: impl IntoIterator<Item = i64>) -> Vec<u8> {
        let mut runs = Runs::new(element);
        values.into_iter().for_each(|value| runs.push(value));
        runs.take()
    }

    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(encoded(Element::Byte, vec![0; 100]), [0x61, 0x00]);
        assert_eq!(encoded(Element::Byte, [0x44, 0x45]), [0xfe, 0x44, 0x45]);
        assert_eq!(encoded(Element::Unsigned, vec![7; 100]), [0x61, 0x00, 0x07]);
        assert_eq!(encoded(Element::Unsigned, (1..=100).rev()), [0x61, 0xff, 0x64]);
        assert_eq!(encoded(Element::Unsigned, [2, 3, 6, 7, 11]), [0xfb, 0x02, 0x03, 0x06, 0x07, 0x0b]);
        let mut bits = Bits::new();
        [true, false, false, false, false, false, false, false].into_iter().for_each(|bit| bits.push(bit));
        assert_eq!(bits.take(), [0xff, 0x80]);
    }

    /// Reads a stream as the specification says.
    fn decoded(element: Element, mut bytes: &[u8]) -> Vec<i64> {
        fn next(element: Element, bytes: &mut &[u8]) -> i64 {
            if element == Element::Byte {
                let (&byte, rest) = bytes.split_first().unwrap();
                *bytes = rest;
                return byte.into();
            }
            let (mut value, mut shift) = (0_u128, 0);
            loop {
                let (&byte, rest) = bytes.split_first().unwrap();
                *bytes = rest;
                value |= u128::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            let value = match element {
                Element::Signed => (value >> 1).cast_signed() ^ -(value & 1).cast_signed(),
                _ => value.cast_signed(),
            };
            i64::try_from(value).unwrap()
        }
        let mut values = Vec::new();
        while let Some((&control, rest)) = bytes.split_first() {
            bytes = rest;
            let control = control.cast_signed();
            if control < 0 {
                (0..-i32::from(control)).for_each(|_| values.push(next(element, &mut bytes)));
                continue;
            }
            let mut step = 0;
            if element != Element::Byte {
                let (&byte, rest) = bytes.split_first().unwrap();
                (step, bytes) = (i64::from(byte.cast_signed()), rest);
            }
            let first = next(element, &mut bytes);
            values.extend((0..i64::from(control) + 3).map(|i| first + i * step));
        }
        values
    }

    proptest! {
        #[test]
        fn values_are_read_back(values in proptest::collection::vec(prop_oneof![
            Just(0_i64), Just(1), -3_i64..3, any::<i64>(), Just(i64::MAX), Just(i64::MIN)
        ], 0..700)) {
            prop_assert_eq!(decoded(Element::Signed, &encoded(Element::Signed, values.clone())), values.clone());
            let bytes: Vec<i64> = values.iter().map(|value| value & 0xff).collect();
            prop_assert_eq!(decoded(Element::Byte, &encoded(Element::Byte, bytes.clone())), bytes);
            let counts: Vec<i64> = values.iter().map(|value| value & i64::MAX).collect();
            prop_assert_eq!(decoded(Element::Unsigned, &encoded(Element::Unsigned, counts.clone())), counts);
        }

        #[test]
        fn long_runs_are_read_back(runs in proptest::collection::vec((any::<i32>(), -200_i64..200, 1_i64..400), 0..8)) {
            let values: Vec<i64> =
                runs.iter().flat_map(|(first, step, len)| (0..*len).map(move |i| i64::from(*first) + i * step)).collect();
            prop_assert_eq!(decoded(Element::Signed, &encoded(Element::Signed, values.clone())), values);
        }
    }
}
