"""Reads assessment-results.json and component-definition.json of a directory with compliance-trestle; exits 1 where one is not OSCAL."""
import pathlib
import sys

from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.component import ComponentDefinition

directory = pathlib.Path(sys.argv[1])
results = AssessmentResults.oscal_read(directory / "assessment-results.json")
component = ComponentDefinition.oscal_read(directory / "component-definition.json")
observations = results.results[0].observations
named = {observation.uuid for observation in observations}
for finding in results.results[0].findings or []:
    for related in finding.related_observations:
        assert related.observation_uuid in named, related
assert component.components
print(len(observations), "observations")
