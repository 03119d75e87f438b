//! What a decision looked at, step by step, for `openclaw explain` (invariant I4).
//!
//! Notes never hold a secret (I5). `Trace::off()` costs nothing: notes are built only when somebody listens.

use std::borrow::Cow;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The step proved what it looked for.
    Pass,
    /// The step had nothing to look at.
    Skip,
    /// The step took privileges away and went on.
    Downgrade,
    /// The step ended the decision.
    Deny,
}

impl Outcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Downgrade => "downgrade",
            Self::Deny => "deny",
        }
    }
}

/// One line of `explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub name: &'static str,
    pub outcome: Outcome,
    pub note: Cow<'static, str>,
}

/// The steps of one decision, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    steps: Option<Vec<Step>>,
}

impl Trace {
    /// The hot path: keeps nothing, allocates nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self { steps: None }
    }

    /// Keep every step.
    #[must_use]
    pub const fn on() -> Self {
        Self { steps: Some(Vec::new()) }
    }

    /// The steps so far, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        self.steps.as_deref().unwrap_or_default()
    }

    pub(crate) fn push<N: Into<Cow<'static, str>>>(
        &mut self,
        name: &'static str,
        outcome: Outcome,
        note: impl FnOnce() -> N,
    ) {
        if let Some(steps) = &mut self.steps {
            steps.push(Step { name, outcome, note: note().into() });
        }
    }
}
