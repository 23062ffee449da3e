//! What the classical operators do to scores at the end, as ONNX Runtime does it, and the end of linear models.

use super::LANES;
use super::lanes::{AnyReg, Frame, Kernel, Lanes, Real, Refusal, Reg};

/// What happens to the scores at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostTransform {
    None,
    Logistic,
    Probit,
    Softmax,
    /// Softmax over the scores that are not zero.
    SoftmaxZero,
}

impl PostTransform {
    /// Transforms the scores of one row, of which there are two or more.
    pub(crate) fn apply<T: Real>(self, scores: &mut [Lanes<T>], lane: usize) {
        match self {
            Self::None => {}
            Self::Logistic => {
                for score in scores {
                    score[lane] = score[lane].logistic();
                }
            }
            Self::Probit => {
                for score in scores {
                    score[lane] = probit(score[lane]);
                }
            }
            Self::Softmax | Self::SoftmaxZero => {
                let highest =
                    scores.iter().map(|score| score[lane]).fold(T::INFINITY.negated(), |highest, score| {
                        if score > highest { score } else { highest }
                    });
                let small = T::from_f64(1e-7);
                let mut sum = T::ZERO;
                for score in scores.iter_mut() {
                    let score = &mut score[lane];
                    if self == Self::SoftmaxZero && score.magnitude() <= small {
                        *score = score.times(highest.negated().exp());
                    } else {
                        *score = score.minus(highest).exp();
                        sum = sum.plus(*score);
                    }
                }
                for score in scores {
                    score[lane] = score[lane].over(sum);
                }
            }
        }
    }
}

/// The approximation of the inverse normal distribution that ONNX Runtime uses, by Winitzki's formula for erf⁻¹.
pub(crate) fn probit<T: Real>(p: T) -> T {
    const A: f64 = 0.147;
    let real = T::from_f64;
    let x = real(2.0).times(p).minus(T::ONE);
    let log = T::ONE.minus(x).times(T::ONE.plus(x)).ln();
    let v = real(2.0 / (std::f64::consts::PI * A)).plus(real(0.5).times(log));
    let root = v.times(v).minus(real(1.0 / A).times(log)).sqrt().minus(v).sqrt();
    let root = real(std::f64::consts::SQRT_2).times(root);
    if x < T::ZERO { root.negated() } else { root }
}

/// How the scores of a linear model become what it hands out.
#[derive(Debug)]
pub(crate) struct Linear {
    /// The scores, one column per class or target.
    pub(crate) input: Reg<f32>,
    /// As many columns, or two for one score that stands for two classes.
    pub(crate) output: Reg<f32>,
    pub(crate) post: PostTransform,
    pub(crate) decision: Option<Decision>,
}

/// How the scores of a linear classifier become a label.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) output: Reg<i64>,
    /// The label of each class; for a single score what is below or at 0, and what is above.
    pub(crate) labels: Box<[i64]>,
}

impl Linear {
    pub(crate) fn writes(&self) -> Vec<AnyReg> {
        let label = self.decision.as_ref().map(|decision| AnyReg::Integers(decision.output));
        [AnyReg::Floats(self.output)].into_iter().chain(label).collect()
    }

    fn finish(&self, scores: &[Lanes<f32>], out: &mut [Lanes<f32>], lane: usize) {
        match (scores, out) {
            ([score], [low, high]) => {
                let score = score[lane];
                (low[lane], high[lane]) = match self.post {
                    PostTransform::Logistic => ((-score).logistic(), score.logistic()),
                    PostTransform::Probit => (-probit(score), probit(score)),
                    _ => (1.0 - score, score),
                };
            }
            // A single result is transformed by PROBIT alone.
            ([score], [out]) => {
                out[lane] =
                    if self.post == PostTransform::Probit { probit(score[lane]) } else { score[lane] };
            }
            (scores, out) => {
                for (out, score) in out.iter_mut().zip(scores) {
                    out[lane] = score[lane];
                }
                self.post.apply(out, lane);
            }
        }
    }
}

/// Position of the class with the highest score, the first among equals; for a single score whether it is above 0.
fn winner(scores: &[Lanes<f32>], lane: usize) -> usize {
    match scores {
        [score] => usize::from(score[lane] > 0.0),
        _ => {
            let mut best = 0;
            for (class, score) in scores.iter().enumerate() {
                if score[lane] > scores[best][lane] {
                    best = class;
                }
            }
            best
        }
    }
}

impl Kernel for Linear {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let label = self.decision.as_ref().map(|decision| decision.output);
        frame.write_also(label, |frame, labels| {
            frame.write(self.output, |frame, out| {
                let scores = frame.read(self.input).chunks_exact(self.input.width.max(1));
                for (group, (out, scores)) in
                    out.chunks_exact_mut(self.output.width.max(1)).zip(scores).enumerate()
                {
                    for lane in 0..LANES {
                        self.finish(scores, out, lane);
                        if let (Some(decision), Some(labels)) = (&self.decision, labels.get_mut(group)) {
                            labels[lane] =
                                decision.labels.get(winner(scores, lane)).copied().unwrap_or_default();
                        }
                    }
                }
            });
        });
        Ok(())
    }
}
