//! One parsed expression.

use std::fmt;

use kube_cel::KubeCelExt;
use kube_cel::cel::parser::Parser;
use kube_cel::cel::{Context, ExecutionError, IdedExpr, Value};

use crate::{typing, value};

/// Why an expression could not be used.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum Error {
    /// The text is not an expression of the supported dialect.
    #[error("failed to parse the CEL expression '{expression}': {issues}")]
    Parse {
        /// The text as the user wrote it.
        expression: String,
        /// What the parser or the type check found, with its position.
        issues: String,
    },
    /// The expression cannot yield exactly the type that is needed.
    #[error("CEL expression output type mismatch: expected {expected}, got {got}")]
    OutputType {
        /// The type that is needed.
        expected: &'static str,
        /// The type that the expression has; `dyn` when only the data decides.
        got: &'static str,
    },
    /// The data did not fit the expression, for example a missing field.
    #[error("failed to evaluate the CEL expression '{expression}': {why}")]
    Evaluate {
        /// The text as the user wrote it.
        expression: String,
        /// What went wrong; names of fields, never values.
        why: String,
    },
    /// The expression yielded something other than a boolean.
    #[error("failed to evaluate CEL expression as boolean: '{0}'")]
    NotBoolean(String),
    /// The expression yielded something other than a string.
    #[error("failed to evaluate CEL expression as string: '{0}'")]
    NotString(String),
    /// A health check expression that is empty or does not parse: which one, and why.
    #[error("{0}")]
    HealthCheck(String),
}

/// A parsed expression, evaluated as often as needed.
pub struct Expression {
    text: String,
    tree: IdedExpr,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl Expression {
    /// Parses without a type check: any top-level field of the object is a variable, as `healthCheckExprs` need.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let failed = |issues: String| Error::Parse { expression: text.to_owned(), issues };
        let tree = Parser::new()
            .enable_optional_syntax(true)
            .parse(text)
            .map_err(|errors| failed(errors.to_string()))?;
        if let Some(construct) = typing::unsupported(&tree) {
            return Err(failed(format!(
                "{construct} is not supported here, rewrite the expression without it"
            )));
        }
        Ok(Self { text: text.to_owned(), tree })
    }

    /// Parses and checks that only `variables` are used and that the result is exactly a boolean, as `readyExpr` needs.
    /// A result that only the data decides (`dep.status.ready`) is refused: write `== true`.
    pub fn compile_boolean(text: &str, variables: &[&str]) -> Result<Self, Error> {
        Self::compile_as("bool", text, variables)
    }

    /// Parses and checks that only `variables` are used and that the result is exactly a string, as
    /// `commitStatusExpr` needs.
    pub fn compile_string(text: &str, variables: &[&str]) -> Result<Self, Error> {
        Self::compile_as("string", text, variables)
    }

    /// Parses and checks that only `variables` are used. The result may have any type.
    pub fn compile(text: &str, variables: &[&str]) -> Result<Self, Error> {
        let expression = Self::parse(text)?;
        match typing::undeclared(&expression.tree, variables) {
            Some(name) => Err(Error::Parse {
                expression: text.to_owned(),
                issues: format!(
                    "undeclared reference to '{name}', the variables are {}",
                    variables.join(", ")
                ),
            }),
            None => Ok(expression),
        }
    }

    fn compile_as(expected: &'static str, text: &str, variables: &[&str]) -> Result<Self, Error> {
        let expression = Self::compile(text, variables)?;
        match typing::output(&expression.tree) {
            got if got == expected => Ok(expression),
            got => Err(Error::OutputType { expected, got }),
        }
    }

    /// Evaluates with the given variables; an error where a field is missing or the result is not a boolean.
    pub fn evaluate<'v>(
        &self,
        variables: impl IntoIterator<Item = (&'v str, &'v serde_json::Value)>,
    ) -> Result<bool, Error> {
        match self.value(variables)? {
            Value::Bool(result) => Ok(result),
            _ => Err(Error::NotBoolean(self.text.clone())),
        }
    }

    /// Evaluates to a string. A variable that the expression does not name is not converted.
    pub fn evaluate_string<'v>(
        &self,
        variables: impl IntoIterator<Item = (&'v str, &'v serde_json::Value)>,
    ) -> Result<String, Error> {
        match self.value(variables)? {
            Value::String(result) => Ok(result.to_string()),
            _ => Err(Error::NotString(self.text.clone())),
        }
    }

    /// Evaluates to any value that JSON can hold; others, such as times, become their text or null.
    pub fn evaluate_json<'v>(
        &self,
        variables: impl IntoIterator<Item = (&'v str, &'v serde_json::Value)>,
    ) -> Result<serde_json::Value, Error> {
        self.value(variables).map(|result| value::to_json(&result))
    }

    fn value<'v>(
        &self,
        variables: impl IntoIterator<Item = (&'v str, &'v serde_json::Value)>,
    ) -> Result<Value, Error> {
        ROOT.with(|root| {
            let mut context = root.new_inner_scope();
            for (name, json) in variables.into_iter().filter(|(name, _)| typing::mentions(&self.tree, name)) {
                context.add_variable_from_value(name, value::from_json(json));
            }
            context.resolve(&self.tree)
        })
        .map_err(|failure| Error::Evaluate { expression: self.text.clone(), why: reason(&failure) })
    }
}

thread_local! {
    /// The functions of the dialect, registered once a thread: that takes longer than most evaluations.
    static ROOT: Context<'static> = {
        let mut context = Context::default().with_all();
        context.add_function("dyn", |value: Value| -> Result<Value, ExecutionError> { Ok(value) });
        context
    };
}

/// The interpreter prints operands; an object may be a Secret, so only names and kinds of failure are kept.
fn reason(failure: &kube_cel::cel::ExecutionError) -> String {
    use kube_cel::cel::ExecutionError as E;
    match failure {
        E::NoSuchKey(key) => format!("no such key: {key}"),
        E::UndeclaredReference(name) => format!("undeclared reference to '{name}'"),
        E::NoSuchOverload | E::ValuesNotComparable(..) | E::UnsupportedBinaryOperator(..) => {
            "no such overload".to_owned()
        }
        E::InvalidArgumentCount { expected, actual } => {
            format!("invalid argument count: expected {expected}, got {actual}")
        }
        E::FunctionError { function, .. } => format!("function '{function}' failed"),
        E::DivisionByZero(_) => "division by zero".to_owned(),
        E::RemainderByZero(_) => "modulus by zero".to_owned(),
        E::IndexOutOfBounds(_) => "index out of bounds".to_owned(),
        E::Overflow(..) => "integer overflow".to_owned(),
        E::NotSupportedAsMethod { method, .. } => format!("no such method '{method}' on this type"),
        _ => "no such overload".to_owned(),
    }
}
