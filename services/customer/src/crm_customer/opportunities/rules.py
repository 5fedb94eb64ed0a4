"""How opportunities are won and lost. Pure functions."""

# Keys of the stages that close an opportunity, whatever they are called; all others are open.
WON, LOST = "won", "lost"
CLOSED = (WON, LOST)


def refusal(current: str, wanted: str, *, restricted: bool) -> str | None:
    """The code of what keeps a member from moving an opportunity by hand; None: nothing does (L-08, L-09, X-29).

    `restricted`: only completed orders win an opportunity.
    """
    if wanted == current:
        return None
    if current == WON and (restricted or wanted == LOST):
        return "opportunity_won"
    return "won_by_orders_only" if wanted == WON and restricted else None
