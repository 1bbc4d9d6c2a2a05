<?php
// Asks the service for one prediction: php predict.php [URL [ROW]], the row as JSON.
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

function predict(string $url, array|object $row): array
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
        $stream = @fopen("$url/predict", 'r', false, $context);
        if ($stream === false) {
            fail("$url cannot be reached: " . error_get_last()['message']);
        }
        $head = implode("\n", stream_get_meta_data($stream)['wrapper_data']);
        $answer = json_decode(stream_get_contents($stream), true);
        [, $status] = explode(' ', $head);
        if ($status === '200') {
            return $answer['predictions'][0];
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

$row = isset($argv[2]) ? json_decode($argv[2], false, 512, JSON_THROW_ON_ERROR) : ROW;
$answer = predict($argv[1] ?? 'http://127.0.0.1:8000', $row);
$label = is_bool($answer['label']) ? json_encode($answer['label']) : $answer['label'];
$probability = $answer['probability'] ?? $answer['probabilities']; // of more than two classes each has one
echo "label $label, probability ", json_encode($probability, JSON_FORCE_OBJECT | JSON_UNESCAPED_UNICODE), "\n";
foreach ($answer['warnings'] as $warning) { echo "warning: $warning\n"; }
