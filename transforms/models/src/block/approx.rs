//! The exponential, the hyperbolic tangent and the logistic function for `f32`, without branches or tables, so that a
//! loop over lanes becomes vector instructions. Accuracy is proven by the tests below over the whole range.

/// 2^23 × 1.5: adding it to a small number leaves the nearest integer in the low bits of the sum.
const ROUNDING: f32 = 12_582_912.0;
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts, the first with enough trailing zeros that its product with an exponent is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Below this the result would be subnormal; it becomes 0.
const EXP_LOWEST: f32 = -87.336_54;
/// Above this the result is infinite.
const EXP_HIGHEST: f32 = 88.722_83;

/// `e^x` within 2.5e-7 of the true value, relatively; 0 where the result would be subnormal; NaN for NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let clamped = if x > EXP_HIGHEST { EXP_HIGHEST } else { x };
    let clamped = if clamped < EXP_LOWEST { EXP_LOWEST } else { clamped };
    // x = n ln 2 + r with |r| <= ln 2 / 2.
    let shifted = clamped * LOG2_E + ROUNDING;
    let n = shifted - ROUNDING;
    let r = (clamped - n * LN_2_HIGH) - n * LN_2_LOW;
    // The series of e^r up to r^7: the next term is below 6e-9.
    let series = 1.0 / 5_040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = series * r + 1.0;
    let series = series * r + 1.0;
    // 2^n in two factors, because n reaches 128. The bits of `shifted` carry n as an integer.
    let n = shifted.to_bits().wrapping_sub(ROUNDING.to_bits()) as i32;
    let half = n >> 1;
    let scale = |power: i32| f32::from_bits((power.wrapping_add(127) as u32) << 23);
    let result = series * scale(half) * scale(n.wrapping_sub(half));
    let result = if x > EXP_HIGHEST { f32::INFINITY } else { result };
    let result = if x < EXP_LOWEST { 0.0 } else { result };
    // A NaN has gone through integer arithmetic above.
    if x.is_nan() { x } else { result }
}

/// `1 / (1 + e^-x)`, relatively within 5e-7 down to the smallest normal result.
#[inline(always)]
pub(crate) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x` within 1e-6 of the true value, relatively; exactly ±1 far out; NaN for NaN; an odd function.
///
/// `tanh x = x P(x²) / Q(x²)`, with the coefficients of the rational function of degree 4 over 4 that has the smallest
/// relative error on [0, 9.02] (2.1e-8); beyond it `tanh x` rounds to 1.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    const END: f32 = 9.02;
    let x = if x > END { END } else { x };
    let x = if x < -END { -END } else { x };
    let t = x * x;
    let p = 1.332_168_1e-8;
    let p = p * t + 2.058_536e-5;
    let p = p * t + 3.494_148_6e-3;
    let p = p * t + 1.337_981_4e-1;
    let p = p * t + 1.0;
    let q = 7.763_086e-7;
    let q = q * t + 3.283_279_4e-4;
    let q = q * t + 2.587_150_7e-2;
    let q = q * t + 4.671_313e-1;
    let q = q * t + 1.0;
    let result = x * p / q;
    let result = if result > 1.0 { 1.0 } else { result };
    if result < -1.0 { -1.0 } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `stride`-th finite `f32` whose magnitude lies in the range, both signs.
    fn floats(from: f32, to: f32, stride: usize) -> impl Iterator<Item = f32> {
        (from.to_bits()..=to.to_bits()).step_by(stride).flat_map(|bits| {
            let value = f32::from_bits(bits);
            [value, -value]
        })
    }

    fn relative(found: f32, wanted: f64) -> f64 {
        ((f64::from(found) - wanted) / wanted).abs()
    }

    #[test]
    fn tanh_is_accurate_everywhere() {
        let worst = floats(f32::MIN_POSITIVE, 40.0, 257)
            .map(|x| relative(tanh(x), f64::from(x).tanh()))
            .fold(0.0, f64::max);
        assert!(worst < 1e-6, "worst relative error {worst:e}");
    }

    #[test]
    fn tanh_at_the_ends() {
        assert_eq!(tanh(0.0).to_bits(), 0.0f32.to_bits());
        assert_eq!(tanh(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!((tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)), (1.0, -1.0));
        assert_eq!((tanh(20.0), tanh(-20.0)), (1.0, -1.0));
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!(tanh(1e-40), 1e-40, "subnormal numbers pass through");
    }

    #[test]
    fn exp_is_accurate_everywhere() {
        let worst = floats(1e-30, 88.72, 509)
            .filter(|&x| x > EXP_LOWEST)
            .map(|x| relative(exp(x), f64::from(x).exp()))
            .fold(0.0, f64::max);
        assert!(worst < 2.5e-7, "worst relative error {worst:e}");
    }

    #[test]
    fn exp_at_the_ends() {
        assert_eq!((exp(0.0), exp(-0.0)), (1.0, 1.0));
        assert_eq!((exp(89.0), exp(f32::INFINITY)), (f32::INFINITY, f32::INFINITY));
        assert_eq!((exp(-88.0), exp(f32::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn logistic_is_accurate_everywhere() {
        let worst = floats(1e-30, 87.0, 509)
            .map(|x| relative(logistic(x), 1.0 / (1.0 + (-f64::from(x)).exp())))
            .fold(0.0, f64::max);
        assert!(worst < 5e-7, "worst relative error {worst:e}");
        assert_eq!((logistic(200.0), logistic(-200.0)), (1.0, 0.0));
        assert!(logistic(f32::NAN).is_nan());
    }
}
