//! What can be told of an expression without data: constructs that are missing here, unknown variables, the output type.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};

const COMPARISONS: [&str; 7] = ["_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in"];
const LOGIC: [&str; 4] = ["_&&_", "_||_", "!_", "@not_strictly_false"];
const PREDICATES: [&str; 10] = [
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "bool",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "isSorted",
    "hasValue",
];

/// A construct of Flux's dialect that the interpreter lacks, if the expression uses one.
pub(crate) fn unsupported(expr: &IdedExpr) -> Option<&'static str> {
    let mut found = None;
    walk(expr, &mut Vec::new(), &mut |expr, _| {
        if let Expr::Call(call) = &expr.expr {
            let receiver = call.target.as_deref().map(|target| &target.expr);
            found = found.or(match (call.func_name.as_str(), receiver) {
                // The interpreter takes them, but a missing field reads wrongly.
                ("_?._" | "_[?_]", _) => Some("optional selection"),
                ("type", None) => Some("type()"),
                ("bind", Some(Expr::Ident(name))) if name == "cel" => Some("cel.bind"),
                _ => None,
            });
        }
    });
    found
}

/// Whether the expression names this variable.
pub(crate) fn mentions(expr: &IdedExpr, variable: &str) -> bool {
    let mut found = false;
    walk(expr, &mut Vec::new(), &mut |expr, _| {
        found |= matches!(&expr.expr, Expr::Ident(name) if name == variable);
    });
    found
}

/// The first variable that is neither declared nor bound by a macro.
pub(crate) fn undeclared(expr: &IdedExpr, declared: &[&str]) -> Option<String> {
    let mut found = None;
    walk(expr, &mut Vec::new(), &mut |expr, bound| {
        if let Expr::Ident(name) = &expr.expr
            && found.is_none()
            && !declared.contains(&name.as_str())
            && !bound.contains(&name.as_str())
        {
            found = Some(name.clone());
        }
    });
    found
}

/// The type of the result; `dyn` where only the data decides.
pub(crate) fn output(expr: &IdedExpr) -> &'static str {
    match &expr.expr {
        Expr::Literal(literal) => match literal {
            LiteralValue::Boolean(_) => "bool",
            LiteralValue::Int(_) => "int",
            LiteralValue::UInt(_) => "uint",
            LiteralValue::Double(_) => "double",
            LiteralValue::String(_) => "string",
            LiteralValue::Bytes(_) => "bytes",
            LiteralValue::Null => "null",
        },
        Expr::List(_) => "list",
        Expr::Map(_) | Expr::Struct(_) => "map",
        // `has(a.b)` is a select that only tests.
        Expr::Select(select) if select.test => "bool",
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            if COMPARISONS.contains(&name) || LOGIC.contains(&name) || PREDICATES.contains(&name) {
                return "bool";
            }
            match (name, call.args.as_slice()) {
                // Both sides of `+` have the same type, so one that is known tells the other.
                ("_+_", [left, right]) => match (output(left), output(right)) {
                    ("dyn", right) => right,
                    (left, _) => left,
                },
                ("_?_:_", [_, then, otherwise]) if output(then) == output(otherwise) => output(then),
                ("size" | "int" | "indexOf" | "lastIndexOf", _) => "int",
                ("string" | "lowerAscii" | "upperAscii" | "trim" | "join" | "replace" | "substring", _) => {
                    "string"
                }
                ("double", _) => "double",
                _ => "dyn",
            }
        }
        Expr::Comprehension(loop_) => match &loop_.result.expr {
            Expr::Ident(name) if *name == loop_.accu_var => output(&loop_.accu_init),
            _ => output(&loop_.result),
        },
        _ => "dyn",
    }
}

/// Visits every node with the names that macros have bound around it.
fn walk<'e>(expr: &'e IdedExpr, bound: &mut Vec<&'e str>, visit: &mut dyn FnMut(&'e IdedExpr, &[&'e str])) {
    visit(expr, bound);
    match &expr.expr {
        Expr::Call(call) => {
            // `sets.contains(…)` reaches the tree as a call on the identifier `sets`: a library, not a variable.
            let library = matches!(call.target.as_deref().map(|t| &t.expr),
                Some(Expr::Ident(name)) if matches!(name.as_str(), "sets" | "base64" | "math" | "strings" | "optional"));
            if let Some(target) = call.target.as_deref().filter(|_| !library) {
                walk(target, bound, visit);
            }
            call.args.iter().for_each(|arg| walk(arg, bound, visit));
        }
        Expr::Select(select) => walk(&select.operand, bound, visit),
        Expr::List(list) => list.elements.iter().for_each(|item| walk(item, bound, visit)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    walk(&entry.key, bound, visit);
                    walk(&entry.value, bound, visit);
                }
            }
        }
        Expr::Comprehension(loop_) => {
            walk(&loop_.iter_range, bound, visit);
            walk(&loop_.accu_init, bound, visit);
            let outer = bound.len();
            bound.push(&loop_.iter_var);
            bound.extend(loop_.iter_var2.as_deref());
            bound.push(&loop_.accu_var);
            walk(&loop_.loop_cond, bound, visit);
            walk(&loop_.loop_step, bound, visit);
            walk(&loop_.result, bound, visit);
            bound.truncate(outer);
        }
        _ => {}
    }
}
