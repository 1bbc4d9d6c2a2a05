<?php
// Asks the service for one prediction: php predict.php [--explain] [URL [ROW]], the row as JSON.
// With --explain it says as well how much each value raises or lowers the log-odds of the class.
// SERVING_API_KEY in the environment is the key, where the service wants one.
// PHP's own streams are enough; the extension curl is not installed everywhere.

const TRIES = 5;
const ROW = [
    'Pregnancies' => 6,
    'Glucose' => 148,
    'BloodPressure' => 72,
    'SkinThickness' => 35,
    'Insulin' => null, // not known
    'BMI' => 33.6,
    'DiabetesPedigreeFunction' => 0.627,
    'Age' => 50,
];

// Sends a row to /predict or /explain; of one row there is one prediction, and one explanation.
function ask(string $url, string $path, array|object $row): array
{
    $headers = ['Content-Type: application/json'];
    if ($key = getenv('SERVING_API_KEY')) {
        $headers[] = "Authorization: Bearer $key";
    }
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => $headers,
        'content' => json_encode($row, JSON_THROW_ON_ERROR),
        'timeout' => 30,
        'ignore_errors' => true, // else the body of an error, which says what is wrong, is lost
    ]]);
    for ($triesLeft = TRIES - 1; ; $triesLeft--) {
        $stream = @fopen("$url/$path", 'r', false, $context);
        if ($stream === false) {
            fail("$url cannot be reached: " . error_get_last()['message']);
        }
        $head = implode("\n", stream_get_meta_data($stream)['wrapper_data']);
        $answer = json_decode(stream_get_contents($stream), true);
        [, $status] = explode(' ', $head);
        if ($status === '200') {
            return $answer;
        }
        if ($status !== '503' || $triesLeft === 0) {
            fail(problem($status, $answer));
        }
        sleep(preg_match('/^Retry-After: (\d+)$/mi', $head, $found) ? (int) $found[1] : 5);
    }
}

function problem(string $status, ?array $answer): string
{
    // Without a detail it is not the service's answer, but that of a proxy before it.
    $lines = [$answer['detail'] ?? "The answer has the status $status."];
    foreach ($answer['errors'] ?? [] as $field) {
        $lines[] = "  {$field['pointer']}: {$field['detail']}";
    }
    return implode("\n", $lines);
}

function fail(string $message): never
{
    fwrite(STDERR, "$message\n");
    exit(1);
}

function text(mixed $label): string
{
    return is_bool($label) ? json_encode($label) : $label;
}

function json(mixed $value): string
{
    return json_encode($value, JSON_FORCE_OBJECT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
}

$words = array_slice($argv, 1);
$path = ($words[0] ?? '') === '--explain' ? substr(array_shift($words), 2) : 'predict';
$row = isset($words[1]) ? json_decode($words[1], false, 512, JSON_THROW_ON_ERROR) : ROW;
$answer = ask($words[0] ?? 'http://127.0.0.1:8000', $path, $row);
$found = $answer['predictions'][0];
$probability = $found['probability'] ?? $found['probabilities']; // of more than two classes each has one
echo 'label ', text($found['label']), ', probability ', json($probability), "\n";
foreach ($found['warnings'] as $warning) { echo "warning: $warning\n"; }
foreach ($answer['explanations'] ?? [] as $why) {
    echo 'log-odds of ', text($why['class']), ': ', json($why['log_odds']), ', on average ', json($why['base']), "\n";
    foreach ($why['contributions'] as ['log_odds' => $share, 'feature' => $name, 'value' => $value]) {
        echo json($share), " from $name ", json($value), "\n";
    }
}
