"""What EC2 does with every request, whatever the operation: driven by botocore's service model.

    support.py   which operations and parameters the local Nitro honours; the rest is refused
    ec2_operations.py, other_operations.py, reference.py  the tables of those, and their page
    requests.py  the action and its parameters, checked against the model
    filters.py   Filters, applied to the records of an answer
    pages.py     MaxResults and NextToken
    answers.py   the XML of answers and errors

A request passes `requests.check`, then moto (or what stands in front of it), then `answers`.
"""
