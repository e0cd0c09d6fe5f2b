#!/bin/sh
# A month of a small company, from its files to the ledger, to an invoice and its payment. Run by `make demo`, it shows each command
# before what it prints.
# The store is build/demo.db, new each time. A step that ends otherwise than expected ends the demonstration.
set -eu

unset CHARTER_PACK CHARTER_ACTOR
export CHARTER_DB=build/demo.db CHARTER_NOW=2026-04-01T09:00:00Z
FILES=examples/portfolio
BOLD='' PLAIN=''
if [ -t 1 ]; then
  BOLD=$(printf '\033[1m') PLAIN=$(printf '\033[0m')
else
  charter() { command charter -o table "$@"; } # what would be seen on a terminal
fi

tell() { printf '\n%s\n\n' "$*"; }

# run EXPECTED COMMAND: shows the command, then its output, then on what the program remarked.
run() {
  printf '%s$ %s%s\n' "$BOLD" "$2" "$PLAIN"
  code=0
  eval "$2" 2>build/demo/remarks.txt || code=$?
  sed '/^head /d' build/demo/remarks.txt
  if [ "$code" != "$1" ]; then
    printf '\nThe demonstration ends here: this command gave exit code %s instead of %s.\n' "$code" "$1" >&2
    exit 1
  fi
}

rm -rf build/demo build/demo.db build/demo.db-journal
mkdir -p build/demo

echo "North Engineering, March 2026: six projects, six workers, their hours on the way to the ledger and to an invoice."
echo "Every command also prints the head of the log, which stands for all of it; here only the last one does."

tell "1. A store is made. The rules go into it; from now on nothing in it changes but by them."
run 0 "charter init --demonstration > build/demo/init.txt"

tell "2. Who acts and in which roles; then pat, the accountant, brings in what the company works with."
run 0 "charter import actor $FILES/actors.csv"
run 0 "charter import role_grant $FILES/role_grants.csv"
for pair in company:companies period:periods customer:customers contract:contracts contract_line:contract_lines \
  category:categories project:projects worker:workers hour_cost:hour_costs hour_price:hour_prices \
  tax_code:tax_codes tax_rate:tax_rates tax_setup:tax_setups; do
  run 0 "charter --as pat import ${pair%:*} $FILES/${pair#*:}.csv"
done
run 0 "charter --as pat fire project start - --where \"state == 'created'\" > build/demo/started.txt"

tell "3. Tim brings in the hours. Four rows are wrong: they are refused, each with its reason, and set aside to be mended."
run 4 "charter --as tim import hour_line $FILES/timesheets.csv --mapping timesheets \\
    --skip-refused --refused build/demo/refused.csv"
run 0 "charter --as tim fire timesheet submit - --where \"state == 'draft'\" > build/demo/submitted.txt"

tell "4. Hours are approved by the manager of their project, and by no other. Ann bills six of seven and a half hours."
run 0 "charter --as ann status --limit 3"
run 4 "charter --as bob fire hour_line approve W1/2026-03-02/1"
run 0 "charter --as ann fire hour_line approve W1/2026-03-02/1 --set billable_hours=6"
run 0 "charter --as ann fire hour_line approve - \\
    --where \"state == 'submitted' and project.number in ('P-100', 'P-101', 'SICK')\" > build/demo/lines_by_ann.txt"
run 0 "charter --as bob fire hour_line approve - \\
    --where \"state == 'submitted' and project.number in ('P-200', 'P-300', 'P-400')\" > build/demo/lines_by_bob.txt"

tell "5. The sheets climb a ladder by what they cost: above 5,000 the head of department, dan, is asked, too."
run 0 "charter --as ann fire timesheet approve - \\
    --where \"state == 'in_review' and project.number in ('P-100', 'P-101', 'SICK')\" > build/demo/sheets_by_ann.txt"
run 0 "charter --as bob fire timesheet approve - --where \"state == 'in_review' and step == 1\" > build/demo/sheets_by_bob.txt"
run 0 "charter --as dan fire timesheet approve - --where \"state == 'in_review'\""

tell "6. The cost is posted, and the books are looked at."
run 0 "charter --as pat run post_transactions until=2026-03-31"
run 0 "charter report trial_balance company=NORTH from=2026-03-01 until=2026-03-31"

tell "7. Why 468.75? The rule that wrote it, the price, the approval, the row of the file: pieces of the answer."
run 0 "charter why C-000001/1 > build/demo/why.txt"
run 0 "head -n 14 build/demo/why.txt"
run 0 "grep -m 1 -A 6 'decided cost_price' build/demo/why.txt"
run 0 "grep -m 1 -A 2 'approve of hour_line .*->' build/demo/why.txt"
run 0 "grep -A 3 'create of hour_line .*/1: nothing' build/demo/why.txt"

tell "8. The Harbour Board pays within two weeks. Ben proposes what is invoiced monthly, and of six hours he bills four, for a
reason. Mia approves what he proposed; he himself may not."
run 0 "charter --as pat fire contract_payer change K-10/C-10 --set payment_terms=D14"
run 0 "charter --as ben run propose_invoices until=2026-03-31 company=NORTH"
run 4 "charter --as ben fire proposal_line change K-10/1/3 --set quantity=4"
run 0 "charter --as ben fire proposal_line change K-10/1/3 --set quantity=4 --set reason=budget"
run 0 "charter --as ben fire invoice_proposal submit K-10/1"
run 4 "charter --as ben fire invoice_proposal approve K-10/1"
run 0 "charter --as mia fire invoice_proposal approve K-10/1"

tell "9. The invoice is posted, and the customer pays a part of it. On April 20 the rest is six days overdue."
run 0 "charter --as ben run post_invoices until=2026-03-31"
run 0 "charter --as ben fire customer_payment create --set company=NORTH --set number=B-1 --set customer=C-10 \\
    --set date=2026-04-01 --set currency=EUR --set amount=15000"
run 0 "charter --as ben fire customer_payment post NORTH/B-1"
run 0 "charter --as ben fire settlement create --set payment=NORTH/B-1 --set invoice=K-10/1"
run 0 "charter report open_items company=NORTH until=2026-04-20"
run 0 "charter report realization company=NORTH from=2026-03-01 until=2026-03-31"

tell "10. Why is revenue 480.00? The row that wrote it, and who changed the line and for which reason."
run 0 "charter why I-000001/2 > build/demo/why_revenue.txt"
run 0 "head -n 10 build/demo/why_revenue.txt"
run 0 "charter history proposal_line K-10/1/3 > build/demo/line.txt"
run 0 "grep -m 1 -A 5 ' change of' build/demo/line.txt"

tell "11. What comes and goes: the rest of the invoice, what is not invoiced yet, and cost, as a table and as a picture."
forecast="forecast=NORTH/2026-04-01 company=NORTH"
run 0 "charter --as pat fire cash_forecast create --set company=NORTH --set as_of=2026-04-01"
run 0 "charter --as pat run forecast_transactions $forecast from=2026-03-01 until=2026-04-01 > build/demo/flows.txt"
run 0 "charter --as pat run forecast_invoices $forecast until=2026-04-01"
run 0 "charter --as pat run forecast_receipts $forecast from=2026-03-01 until=2026-04-01"
flow="cash_flow company=NORTH as_of=2026-04-01 from=2026-03-01 until=2026-06-30"
run 0 "charter report $flow"
run 0 "charter -o svg report $flow > build/demo/cash_flow.svg"

tell "12. Everything is what the log says; every decision, taken again by the rules kept with it, comes out the same."
run 0 "charter verify --reperform"

cat <<'END'

That was a month. Three commands to try next:

  .venv/bin/charter --db build/demo.db report project_statement company=NORTH from=2026-03-01 until=2026-03-31
  .venv/bin/charter --db build/demo.db --as ann why-not transaction 2 reverse
  .venv/bin/charter --db build/demo.db --as pat fire transaction reverse 2 --set reason=mistaken --plan

Rules to read, and to change: rules/approval/ladder.yaml, rules/accounting/transaction_cost.yaml, workflows/hour_line.yaml.
END
