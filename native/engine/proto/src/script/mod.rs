//! Scripted conversations: send, expect, STARTTLS.

mod conversation;
mod exchange;
mod pattern;
mod plan;
#[cfg(test)]
mod tests;

pub use conversation::ScriptConversation;
pub use exchange::ScriptExchange;
pub use plan::{ScriptPlan, ScriptSpec, ScriptSpecError, Step};
