//! CEL expressions of Flux objects: `dependsOn[].readyExpr` and `healthCheckExprs`.
//!
//! The interpreter is the `cel` crate with kube-cel's function libraries. What it lacks against the dialect of Flux
//! (cel-go) is refused when the expression is parsed, never misread: optional selection (`a.?b`, `a[?b]`), `type()`
//! and `cel.bind`.
//!
//! Numbers of an object enter as `int` when they are whole and as `double` otherwise; comparisons cross number types.

mod expression;
mod health;
mod typing;
mod value;

pub use expression::{Error, Expression};
pub use health::{HealthCheck, HealthChecks, HealthExpressions, HealthVerdict};
